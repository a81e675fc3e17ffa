export interface UploadProgress {
  /** Bytes that have arrived, of all. */
  done: number
  total: number
  /** Bytes per second over the last seconds; undefined at first. */
  rate?: number
  /** Seconds. */
  left?: number
}

/** The rate is that of this time. */
const WINDOW_MS = 4000

/** How fast bytes arrive. */
export class Meter {
  private readonly total: number
  private done = 0
  private readonly marks: { at: number; done: number }[] = []

  constructor(total: number) {
    this.total = total
  }

  /** `isNew` is false for what was there before. `now` in ms. */
  add(bytes: number, isNew = true, now = performance.now()): void {
    this.done += bytes
    if (isNew || !this.marks.length) this.marks.push({ at: now, done: this.done })
    while (this.marks.length > 2 && now - this.marks[0].at > WINDOW_MS) this.marks.shift()
  }

  progress(): UploadProgress {
    const first = this.marks[0]
    const last = this.marks.at(-1)
    const seconds = first && last ? (last.at - first.at) / 1000 : 0
    const rate = seconds > 0.2 ? (last!.done - first.done) / seconds : undefined
    const { done, total } = this
    return { done, total, rate, left: rate ? (total - done) / rate : undefined }
  }
}
