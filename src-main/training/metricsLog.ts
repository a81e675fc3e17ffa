import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { writeFileAtomic } from '../base/files.ts'

/** One line of metrics.jsonl. */
export interface MetricsLine {
  fold: number
  epoch: number
  step: number
  loss: number
  nce: number
  mse: number
  lr: number
  beta1: number
  temperature: number
}

/** metrics.jsonl: a line per step, in groups, so that a small step doesn't wait for the disk. */
export class MetricsLog {
  private readonly path: string
  private pending = ''

  /** Drops what a dead process wrote after the point from which the run goes on. */
  constructor(path: string, from: { fold: number; step: number }) {
    this.path = path
    if (!existsSync(path)) return
    const kept = readFileSync(path, 'utf8')
      .split('\n')
      .filter((text) => {
        const line = parse(text)
        return line && (line.fold < from.fold || (line.fold === from.fold && line.step < from.step))
      })
    writeFileAtomic(path, kept.map((text) => `${text}\n`).join(''))
  }

  add(line: MetricsLine): void {
    this.pending += `${JSON.stringify(line)}\n`
  }

  flush(): void {
    if (this.pending) appendFileSync(this.path, this.pending)
    this.pending = ''
  }
}

/** A line that a kill cut short is not a line. */
function parse(text: string): MetricsLine | undefined {
  try {
    return text ? (JSON.parse(text) as MetricsLine) : undefined
  } catch {
    return undefined
  }
}
