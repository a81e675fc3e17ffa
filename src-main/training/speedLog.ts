import { appendFileSync } from 'node:fs'
import { join } from 'node:path'

/** One line of speed.jsonl: how fast the steps up to this one went. Apart from the metrics, which are the same bits whenever they run. */
export interface SpeedLine {
  fold: number
  step: number
  /** Milliseconds since 1970. */
  at: number
  examplesPerSecond: number
}

/** speed.jsonl of a run: only ever longer, so that the time lost in an interruption can be seen in it. */
export class SpeedLog {
  private readonly path: string
  private readonly fold: number
  private since = { time: performance.now(), examples: 0 }

  constructor(runFolder: string, fold: number) {
    this.path = join(runFolder, 'speed.jsonl')
    this.fold = fold
  }

  /** Counts the examples of a step. */
  add(examples: number): void {
    this.since.examples += examples
  }

  /** Writes the speed since the line before. */
  write(step: number): void {
    const now = performance.now()
    const { time, examples } = this.since
    if (!examples || now <= time) return
    const examplesPerSecond = Number(((1000 * examples) / (now - time)).toPrecision(5))
    const line: SpeedLine = { fold: this.fold, step, at: Date.now(), examplesPerSecond }
    appendFileSync(this.path, `${JSON.stringify(line)}\n`)
    this.since = { time: now, examples: 0 }
  }
}
