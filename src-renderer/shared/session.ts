import { watch } from 'vue'
import { getJson, sendJson } from './api.ts'

/** What the page remembers from one start to the next under a key; undefined at first. */
export async function recall<T>(key: string): Promise<T | undefined> {
  return (await getJson<T | null>(`state/${key}`)) ?? undefined
}

const WAIT_MS = 500

/** Keeps what `value` gives under a key, half a second after it changes. */
export function remember(key: string, value: () => unknown): void {
  let timer = 0
  watch(
    () => JSON.stringify(value()),
    (text) => {
      window.clearTimeout(timer)
      // A page whose app is gone has other worries, and says so elsewhere.
      timer = window.setTimeout(() => void sendJson('PUT', `state/${key}`, JSON.parse(text)).catch(() => {}), WAIT_MS)
    },
  )
}
