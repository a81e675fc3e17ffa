import type { Check } from './checks.ts'

/** `1 voxel`, `2 voxels`. */
export function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? '' : word.endsWith('s') ? 'es' : 's'}`
}

/** `3` or `3–7`. */
export function range(values: readonly number[]): string {
  let low = Infinity
  let high = -Infinity
  for (const x of values) {
    low = Math.min(low, x)
    high = Math.max(high, x)
  }
  return low === high ? `${low}` : `${low}–${high}`
}

/** Three significant digits. */
export const short = (x: number): string => String(Number(x.toPrecision(3)))

/** One line per check for a terminal, with what follows from a failed one below it. */
export function describeChecks(checks: readonly Check[]): string[] {
  return checks.flatMap(({ ok, level, code, title, expected, found, detail }) => {
    const mark = ok ? 'ok' : level
    // A title says what should hold, so a failed one needs both sides.
    const outcome = ok ? found : `expected ${expected}, found ${found}`
    return [`${mark.padEnd(8)}${title}: ${outcome} [${code}]`, ...(detail && !ok ? [`${' '.repeat(8)}${detail}`] : [])]
  })
}
