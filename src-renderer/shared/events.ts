import { ref } from 'vue'
import type { AppEvent, EventMap, EventType } from '../../src-main/api/events.ts'
import { apiUrl } from './api.ts'

type Handler<T extends EventType> = (data: EventMap[T]) => void

const handlers = new Map<EventType, Set<Handler<never>>>()

/** Whether the app is heard; heartbeats count. */
export const connected = ref(false)

/** Calls `handler` for each event of a type until the returned function is called. */
export function onEvent<T extends EventType>(type: T, handler: Handler<T>): () => void {
  let set = handlers.get(type)
  if (!set) handlers.set(type, (set = new Set()))
  set.add(handler as Handler<never>)
  return () => set.delete(handler as Handler<never>)
}

const SILENCE_MS = 40_000
const RETRY_MS = [200, 1000, 3000, 5000]

/** Listens to the one stream of this window for as long as the page lives, going on where a broken one ended. */
export async function listen(): Promise<never> {
  let last: string | undefined
  for (let failures = 0; ; failures++) {
    try {
      await read(last, (id, event) => {
        failures = 0
        last = id
        for (const handler of handlers.get(event.type) ?? []) (handler as (data: unknown) => void)(event.data)
      })
    } catch {
      // Told by `connected`; the next try follows.
    }
    connected.value = false
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]))
  }
}

async function read(after: string | undefined, each: (id: string, event: AppEvent) => void): Promise<void> {
  const controller = new AbortController()
  let silence = 0
  const hear = () => {
    window.clearTimeout(silence)
    silence = window.setTimeout(() => controller.abort(), SILENCE_MS)
  }
  hear()
  const url = apiUrl(after ? `events?after=${encodeURIComponent(after)}` : 'events')
  const response = await fetch(url, { signal: controller.signal, headers: { Accept: 'text/event-stream' } })
  if (!response.ok || !response.body) throw new Error(`${response.status}`)
  connected.value = true
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    hear()
    const blocks = (rest + value).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) {
      const id = /^id: (.*)$/m.exec(block)?.[1]
      const data = /^data: (.*)$/m.exec(block)?.[1]
      if (id && data) each(id, JSON.parse(data) as AppEvent)
    }
  }
}
