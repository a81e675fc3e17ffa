import type { Progress } from './progress.ts'

/** Estimates the seconds left in the current phase from the reports so far; recent speed counts more than early speed. */
export class EtaClock {
  private phase?: string
  private at = 0
  private done = 0
  /** Units per second, smoothed. */
  private speed?: number

  /** Seconds left, or undefined while it cannot be known. `now` in ms. */
  update({ phase, done, total }: Progress, now = Date.now()): number | undefined {
    if (phase !== this.phase || done < this.done) {
      this.phase = phase
      this.at = now
      this.done = done
      this.speed = undefined
      return undefined
    }
    const seconds = (now - this.at) / 1000
    // Reports may come in bursts, so speed is taken over half a second at least.
    if (seconds >= 0.5 && done > this.done) {
      const latest = (done - this.done) / seconds
      // A weight that depends on the time covered makes the estimate independent of how often reports come.
      const weight = this.speed === undefined ? 1 : 1 - Math.exp(-seconds / 10)
      this.speed = (this.speed ?? 0) * (1 - weight) + latest * weight
      this.at = now
      this.done = done
    }
    if (!this.speed || total <= 0) return undefined
    const sinceThen = (now - this.at) / 1000
    return Math.max(0, (total - this.done) / this.speed - sinceThen)
  }
}

/** `42 s`, `3 min 05 s`, `2 h 10 min`. */
export function formatDuration(seconds: number): string {
  const s = Math.round(seconds)
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`
  return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, '0')} min`
}
