import { EtaClock, formatDuration } from '../base/eta.ts'
import type { Progress } from '../base/progress.ts'

/** The parts of stderr that we use, so that a test can look on. */
export interface Screen {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

const redrawMs = 100
const lineEveryMs = 10_000
const newsEveryMs = 1000

/**
 * Progress and log lines on stderr: on a terminal one line that is updated in place, elsewhere (a file, a batch job) a line at
 * the begin and end of each phase that lasts, and every 10 s.
 */
export class Terminal {
  private readonly screen: Screen
  private readonly now: () => number
  private readonly clock = new EtaClock()
  private line = ''
  private drawn = -Infinity
  private phase?: string
  private complete = false

  constructor(screen: Screen = process.stderr, now: () => number = Date.now) {
    this.screen = screen
    this.now = now
  }

  progress(report: Progress): void {
    const now = this.now()
    const eta = this.clock.update(report, now)
    const isEnd = report.total > 0 && report.done >= report.total
    const isNews = report.phase !== this.phase || (isEnd && !this.complete)
    this.phase = report.phase
    this.complete = isEnd
    const pause = this.screen.isTTY ? redrawMs : isNews ? newsEveryMs : lineEveryMs
    if (now - this.drawn < pause && !(isNews && this.screen.isTTY)) return
    this.drawn = now
    this.line = formatProgress(report, eta)
    if (this.screen.isTTY) this.draw()
    else this.screen.write(`${this.line}\n`)
  }

  /** A line that stays; the progress line goes on below it. */
  log(text: string): void {
    if (!this.screen.isTTY) return void this.screen.write(`${text}\n`)
    this.clear()
    this.screen.write(`${text}\n`)
    if (this.line) this.draw()
  }

  /** Takes the progress line away. */
  end(): void {
    if (this.screen.isTTY && this.line) this.clear()
    this.line = ''
  }

  private draw(): void {
    // A line that wraps could not be taken back. Some terminals say 0 columns for unknown.
    this.screen.write(`\r\x1b[2K${this.line.slice(0, (this.screen.columns || 80) - 1)}`)
  }

  private clear(): void {
    this.screen.write('\r\x1b[2K')
  }
}

/** e.g. `train fold 2 of 5  43 % (430/1000)  1 min 05 s left  loss 1.25  lr 3.0e-4`. */
export function formatProgress({ phase, done, total, message, values }: Progress, eta?: number): string {
  const parts = [phase]
  if (total > 0) parts.push(`${Math.floor((100 * done) / total)} % (${done}/${total})`)
  else if (done > 0) parts.push(String(done))
  if (eta !== undefined && done < total) parts.push(`${formatDuration(eta)} left`)
  for (const [name, value] of Object.entries(values ?? {})) parts.push(`${name} ${formatValue(value)}`)
  if (message) parts.push(message)
  return parts.join('  ')
}

function formatValue(value: number): string {
  if (Number.isInteger(value) || !Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  return size >= 1e-2 && size < 1e5 ? value.toPrecision(4) : value.toExponential(1)
}
