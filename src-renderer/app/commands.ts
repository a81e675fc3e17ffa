import { defineStore } from 'pinia'
import { computed, getCurrentScope, onScopeDispose, shallowRef } from 'vue'

/** Something one can do, found in the palette and, with keys, on the keyboard. */
export interface Command {
  id: string
  title: string
  /** The heading in the palette and on the list of keys, e.g. `Brain`. */
  group: string
  /** e.g. `J`, `Shift+L`, `Mod+K` (Ctrl, or Cmd on a Mac), `ArrowDown`, `Space`. */
  keys?: string | readonly string[]
  /** Whether it makes sense now; default always. */
  when?: () => boolean
  run(event?: KeyboardEvent): void
}

/** Things that the palette finds beside commands, asked for with every query; what does not match it is left out. */
export interface Source {
  group: string
  items(query: string): { title: string; hint?: string; run(): void }[]
}

export const useCommands = defineStore('commands', () => {
  const lists = shallowRef<readonly (readonly Command[])[]>([])
  const sources = shallowRef<readonly Source[]>([])

  /** For as long as the component (or other scope) lives that calls it. */
  function register(commands: readonly Command[]) {
    lists.value = [...lists.value, commands]
    dispose(() => (lists.value = lists.value.filter((list) => list !== commands)))
  }

  function registerSource(source: Source) {
    sources.value = [...sources.value, source]
    dispose(() => (sources.value = sources.value.filter((one) => one !== source)))
  }

  const all = computed(() => lists.value.flat())
  const possible = () => all.value.filter(({ when }) => !when || when())
  return { all, sources, possible, register, registerSource }
})

function dispose(fn: () => void) {
  if (getCurrentScope()) onScopeDispose(fn)
}
