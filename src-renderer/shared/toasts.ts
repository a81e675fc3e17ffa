import { shallowRef } from 'vue'

/** Confirmations of 4 s. Nothing is said here alone. */
export const toasts = shallowRef<readonly { id: number; text: string }[]>([])

const SHOWN_MS = 4000
let last = 0

export function toast(text: string): void {
  const id = ++last
  toasts.value = [...toasts.value, { id, text }]
  window.setTimeout(() => (toasts.value = toasts.value.filter((item) => item.id !== id)), SHOWN_MS)
}
