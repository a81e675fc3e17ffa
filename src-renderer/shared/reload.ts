import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'
import { toProblem, type Problem } from './api.ts'

export interface Loaded<T> {
  /** The last value that came, kept while the next is on its way. */
  readonly value: T | undefined
  readonly problem: Problem | undefined
  /** The value belongs to an older key. */
  readonly isStale: boolean
  reload(): void
}

/** Loads something whenever its key changes (undefined: nothing); what comes late for an old key is dropped. */
export function useLoaded<K, T>(
  key: () => K | undefined,
  load: (key: K, signal: AbortSignal) => Promise<T>,
): Loaded<T> {
  const value = shallowRef<T>() as ShallowRef<T | undefined>
  const problem = shallowRef<Problem>()
  const isStale = shallowRef(false)
  let controller: AbortController | undefined
  async function reload() {
    controller?.abort()
    const wanted = key()
    problem.value = undefined
    if (wanted === undefined) {
      value.value = undefined
      isStale.value = false
      return
    }
    const own = (controller = new AbortController())
    isStale.value = true
    try {
      const loaded = await load(wanted, own.signal)
      if (own.signal.aborted) return
      value.value = loaded
      isStale.value = false
    } catch (error) {
      if (own.signal.aborted) return
      value.value = undefined
      problem.value = toProblem(error)
      isStale.value = false
    }
  }
  watch(key, () => void reload(), { immediate: true })
  onScopeDispose(() => controller?.abort())
  return {
    get value() {
      return value.value
    },
    get problem() {
      return problem.value
    },
    get isStale() {
      return isStale.value
    },
    reload: () => void reload(),
  }
}
