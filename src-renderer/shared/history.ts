import { defineStore } from 'pinia'
import { computed, nextTick, ref, watch } from 'vue'
import type { Ref } from 'vue'

const KEPT = 200
/** Changes of the same values that follow each other so fast are one step. */
const MERGE_MS = 600

type Plain = string

interface Step {
  text: Plain
  /** Which values changed last, for merging. */
  changed: string
  time: number
}

/** Undo and redo of view state: stores say which of their values belong to it; every change of those is a step. */
export const useHistory = defineStore('history', () => {
  const parts = new Map<string, Record<string, Ref<unknown>>>()
  const past = ref<Step[]>([])
  const future = ref<Step[]>([])
  let now: Plain = '{}'
  let restoring = false

  const snapshot = (): Plain =>
    JSON.stringify(
      Object.fromEntries(
        [...parts].map(([name, refs]) => [
          name,
          Object.fromEntries(Object.entries(refs).map(([key, r]) => [key, r.value ?? null])),
        ]),
      ),
    )

  /** The plain (JSON) values of a store that undo brings back. */
  function include(name: string, refs: Record<string, Ref<unknown>>) {
    parts.set(name, refs)
    now = snapshot()
    watch(
      Object.values(refs),
      () => {
        if (!restoring) record()
      },
      { deep: true, flush: 'post' },
    )
  }

  function record() {
    const next = snapshot()
    if (next === now) return
    const changed = difference(now, next)
    const last = past.value.at(-1)
    const time = Date.now()
    // The step before the first of a burst is the one to go back to.
    if (last && last.changed === changed && time - last.time < MERGE_MS) last.time = time
    else past.value = [...past.value.slice(1 - KEPT), { text: now, changed, time }]
    future.value = []
    now = next
  }

  async function move(from: Ref<Step[]>, to: Ref<Step[]>) {
    const step = from.value.at(-1)
    if (!step) return
    from.value = from.value.slice(0, -1)
    to.value = [...to.value, { ...step, text: now, time: 0 }]
    restoring = true
    const values = JSON.parse(step.text) as Record<string, Record<string, unknown>>
    for (const [name, refs] of parts)
      for (const [key, r] of Object.entries(refs))
        if (values[name] && key in values[name]) r.value = values[name][key] ?? undefined
    await nextTick()
    await nextTick()
    restoring = false
    now = snapshot()
  }

  /** Begins anew from what is shown now. */
  async function forget() {
    await nextTick()
    now = snapshot()
    past.value = []
    future.value = []
  }

  return {
    include,
    forget,
    canUndo: computed(() => past.value.length > 0),
    canRedo: computed(() => future.value.length > 0),
    undo: () => move(past, future),
    redo: () => move(future, past),
  }
})

/** The names of the values in which two snapshots differ. */
function difference(a: Plain, b: Plain): string {
  const [before, after] = [a, b].map((text) => JSON.parse(text) as Record<string, Record<string, unknown>>)
  return Object.entries(after)
    .flatMap(([name, values]) =>
      Object.entries(values)
        .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(before[name]?.[key]))
        .map(([key]) => `${name}.${key}`),
    )
    .join()
}
