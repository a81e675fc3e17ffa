import type { PartFilter } from './trialsStore.ts'
import type { Trials } from './subjectData.ts'

const partNumber: Record<Exclude<PartFilter, 'all'>, number> = { train: 0, test: 1 }

/** The rows of a part whose image id, or whose number, has the words in it, in order of the table. */
export function rowsOf(trials: Trials, part: PartFilter, search: string): number[] {
  const words = search.trim().toLowerCase()
  const wanted = part === 'all' ? undefined : partNumber[part]
  const fits = words ? trials.ids.map((id) => id.toLowerCase().includes(words)) : undefined
  const rows: number[] = []
  for (let row = 0; row < trials.count; row++) {
    if (wanted !== undefined && trials.part[row] !== wanted) continue
    if (fits && !fits[trials.stimulus[row]] && String(row) !== words) continue
    rows.push(row)
  }
  return rows
}

/** The images of these rows, ascending, each with its first row. */
export function imagesOf(trials: Trials, rows: readonly number[]): { stimulus: number; row: number }[] {
  const first = new Map<number, number>()
  for (const row of rows) if (!first.has(trials.stimulus[row])) first.set(trials.stimulus[row], row)
  return [...first].map(([stimulus, row]) => ({ stimulus, row })).sort((a, b) => a.stimulus - b.stimulus)
}
