import { open, stat } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import type { MetricsLine } from './metricsLog.ts'

/** Lines of a growing file of JSON lines, and where to go on. */
export interface Tail {
  /** Complete lines, each with its end. */
  text: string
  /** The byte after them. */
  next: number
  /** The file is no longer the one that was read up to `from`: these lines are from its beginning. */
  reset: boolean
}

/** A longer piece is given in several. */
const LARGEST_BYTES = 1 << 24
const LINE_END = 0x0a

/**
 * The complete lines from byte `from` on, 16 MB at most; none when there is no file yet. A resumed run cuts off what came after its
 * checkpoint: then `from` lies after the end or inside a line, and reading begins again.
 */
export async function readTail(path: string, from: number): Promise<Tail> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0
  if (from > size || !(await endsLine(path, from))) return { ...(await readTail(path, 0)), reset: true }
  const bytes = await readBytes(path, from, Math.min(size - from, LARGEST_BYTES))
  const end = bytes.lastIndexOf(LINE_END) + 1
  return { text: bytes.toString('utf8', 0, end), next: from + end, reset: false }
}

async function endsLine(path: string, at: number): Promise<boolean> {
  return at === 0 || (await readBytes(path, at - 1, 1))[0] === LINE_END
}

async function readBytes(path: string, from: number, length: number): Promise<Buffer> {
  if (length === 0) return Buffer.alloc(0)
  const file = await open(path)
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, from)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Lines parsed between two looks at what else there is to do. */
const AT_ONCE = 5000

/**
 * About `points` of many lines of metrics: of each stretch of steps those that hold the smallest and the largest of every value, so that no
 * peak is lost, and its first. Fewer lines stay as they are.
 */
export async function thinLines(text: string, points: number): Promise<string> {
  const lines = text.split('\n').slice(0, -1)
  if (lines.length <= points) return text
  const values = Object.keys(JSON.parse(lines[0]) as MetricsLine).filter((name) => !NO_VALUES.includes(name))
  const stretch = Math.ceil((lines.length * (2 * values.length + 1)) / points)
  const kept: string[] = []
  for (let start = 0; start < lines.length; start += stretch) {
    if (Math.floor(start / AT_ONCE) !== Math.floor((start - stretch) / AT_ONCE)) await setImmediate()
    const part = lines.slice(start, start + stretch)
    const parsed = part.map((line) => JSON.parse(line) as MetricsLine)
    for (const at of extremes(parsed, values)) kept.push(part[at])
  }
  return `${kept.join('\n')}\n`
}

const NO_VALUES = ['fold', 'epoch', 'step']

/** Rows of the first line and of the smallest and largest of each value, ascending. */
function extremes(lines: readonly MetricsLine[], values: readonly string[]): number[] {
  const rows = new Set([0])
  for (const name of values) {
    let [low, high] = [0, 0]
    for (let row = 1; row < lines.length; row++) {
      if (lines[row][name] < lines[low][name]) low = row
      if (lines[row][name] > lines[high][name]) high = row
    }
    rows.add(low).add(high)
  }
  return [...rows].sort((a, b) => a - b)
}
