import type { Progress } from '../base/progress.ts'
import type { JobRecord, PackRecord, RunRecord } from '../workspace/index.ts'
import type { ListedSubject } from '../actions/subjects.ts'

/** Everything that a page is told without asking, by type. */
export interface EventMap {
  /** All lists, at the beginning of a stream and when a page has missed too much. */
  snapshot: { workspace: string; jobs: JobRecord[]; runs: RunRecord[]; subjects: ListedSubject[]; packs: PackRecord[] }
  /** New and changed ones. */
  jobs: JobRecord[]
  runs: RunRecord[]
  runsRemoved: string[]
  subjects: ListedSubject[]
  packs: PackRecord[]
  galleries: string[]
  /** A run's metrics.jsonl has this many bytes now. */
  metrics: { run: string; size: number }
  /** A run has a new snapshot of its batch, of this step. */
  batch: { run: string; changed: number }
  /** Of a job of this process, as it happens; the job's row has it twice a second at most. */
  progress: { job: number; report: Progress }
  /** A line of the app's log. */
  log: { at: string; line: string }
}

export type EventType = keyof EventMap
export type AppEvent = { [T in EventType]: { type: T; data: EventMap[T] } }[EventType]

const KEPT = 2000
const HEARTBEAT_MS = 15_000
/** A page that does not read for so long that this much waits for it starts again from a snapshot. */
const MOST_WAITING = 4000

/**
 * The one stream of events of a window, as server-sent events. A stream that broke goes on from the last event it had seen, as long as that
 * is among the last 2,000; else it begins with a snapshot.
 */
export class Events {
  /** Numbers of another process mean nothing here. */
  private readonly epoch = Date.now().toString(36)
  private readonly kept: { id: number; text: string }[] = []
  private readonly listeners = new Set<() => void>()
  private readonly ending = new AbortController()
  private readonly snapshot: () => EventMap['snapshot']
  private last = 0

  constructor(snapshot: () => EventMap['snapshot']) {
    this.snapshot = snapshot
  }

  /** How many streams are open. */
  get audience(): number {
    return this.listeners.size
  }

  emit<T extends EventType>(type: T, data: EventMap[T]): void {
    const id = ++this.last
    this.kept.push({ id, text: this.encode(id, type, data) })
    if (this.kept.length > KEPT) this.kept.splice(0, this.kept.length - KEPT)
    for (const wake of this.listeners) wake()
  }

  /** Ends all streams. */
  close(): void {
    this.ending.abort()
  }

  /** A stream of text/event-stream from after the event `after` (`EPOCH-NUMBER`), ended by the signal. */
  stream(after: string | undefined, signal: AbortSignal): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder()
    let seen = this.numberOf(after)
    let close = () => {}
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (text: string) => controller.enqueue(encoder.encode(text))
        const wake = () => {
          const isBehind = seen === undefined || (controller.desiredSize ?? 0) < -MOST_WAITING
          if (isBehind || (this.kept.length && this.kept[0].id > seen! + 1)) {
            seen = this.last
            send(this.encode(seen, 'snapshot', this.snapshot()))
          }
          for (const { id, text } of this.kept) {
            if (id <= seen!) continue
            send(text)
            seen = id
          }
        }
        const heartbeat = setInterval(() => send(': still here\n\n'), HEARTBEAT_MS)
        close = () => {
          clearInterval(heartbeat)
          this.listeners.delete(wake)
        }
        AbortSignal.any([signal, this.ending.signal]).addEventListener('abort', () => {
          close()
          try {
            controller.close()
          } catch {
            // The reader was faster.
          }
        })
        this.listeners.add(wake)
        wake()
      },
      cancel: () => close(),
    })
  }

  private numberOf(after: string | undefined): number | undefined {
    const [epoch, number] = after?.split('-') ?? []
    return epoch === this.epoch && /^\d+$/.test(number) ? Number(number) : undefined
  }

  private encode<T extends EventType>(id: number, type: T, data: EventMap[T]): string {
    return `id: ${this.epoch}-${id}\ndata: ${JSON.stringify({ type, data })}\n\n`
  }
}
