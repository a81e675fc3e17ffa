import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'
import type { EventWriter } from './tensorboard.ts'
import { openEventWriter } from './tensorboard.ts'

/** One line of metrics.jsonl: the step with its loss, the terms of the loss by name, and the schedules' values. */
export interface MetricsLine {
  fold: number
  epoch: number
  step: number
  [value: string]: number
}

/** metrics.jsonl with a line per step, and the same as TensorBoard events; in groups, so that a step doesn't wait for the disk. */
export class MetricsLog {
  private readonly path: string
  private readonly events: EventWriter
  private pending: MetricsLine[] = []

  /** Drops what a dead process wrote after the point from which the run goes on. */
  constructor(path: string, from: { fold: number; step: number }) {
    this.path = path
    this.events = openEventWriter(join(dirname(path), 'tensorboard', `fold-${from.fold}`), from.step || undefined)
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
    this.pending.push(line)
  }

  flush(): void {
    if (this.pending.length) appendFileSync(this.path, this.pending.map((line) => `${JSON.stringify(line)}\n`).join(''))
    for (const { step, fold: _, epoch: __, ...values } of this.pending) this.events.scalars(step, values)
    this.pending = []
  }

  close(): void {
    this.flush()
    this.events.close()
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
