import { decimal } from '../shared/format.ts'
import type { Column, ScoreRow } from './rows.ts'

/** One line per row: what it is, then mean, interval and p of every column. Numbers have all their digits. */
export function toCsv(rows: readonly ScoreRow[], columns: readonly Column[]): string {
  const head = ['row', 'published', 'run', 'kind', 'set', 'split', 'repeats', 'seed', 'metric version']
  const parts = ['', ' low', ' high', ' n', ' pool', ' p']
  const header = [...head, ...columns.flatMap(({ title }) => parts.map((part) => `${title}${part}`))]
  const lines = rows.map(({ name, published, facts, cells }) => {
    const version = Object.values(cells).find((cell) => cell?.version)?.version
    const { run, kind, set, split, repeats, seed } = facts ?? {}
    return [
      ...[name, published ? 'published' : 'own', run, kind, set, split, repeats, seed, version],
      ...columns.flatMap(({ id }) => {
        const cell = cells[id]
        return [cell?.mean, cell?.ci95?.[0], cell?.ci95?.[1], cell?.n, cell?.pool, cell?.p]
      }),
    ]
  })
  return [header, ...lines].map((line) => line.map(quoted).join(',')).join('\n') + '\n'
}

function quoted(value: string | number | undefined): string {
  const text = value === undefined ? '' : String(value)
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** A table for the booktabs package; what the numbers are of stands in comments above it. */
export function toLatex(rows: readonly ScoreRow[], columns: readonly Column[]): string {
  const titles = columns.map(({ title, better }) => `${escaped(title)} $\\${better === 'higher' ? 'up' : 'down'}arrow$`)
  const own = rows.filter(({ published }) => !published)
  const versions = new Set(rows.flatMap(({ cells }) => Object.values(cells).flatMap((cell) => cell?.version ?? [])))
  const line = ({ name, published, cells }: ScoreRow) =>
    [
      `${escaped(name)}${published ? ' (published)' : ''}`,
      ...columns.map(({ id }) => {
        const cell = cells[id]
        if (!cell) return '--'
        const mean = number(cell.mean, 3)
        return cell.ci95 ? `${mean} {\\scriptsize [${cell.ci95.map((end) => number(end, 2)).join(', ')}]}` : mean
      }),
    ].join(' & ') + ' \\\\'
  return [
    ...own.map(({ name, about }) => `% ${name}: ${about}`),
    ...[...versions].map((version) => `% metrics: ${version}; 95 % intervals by bootstrap over images`),
    `\\begin{tabular}{l${'r'.repeat(columns.length)}}`,
    '\\toprule',
    `${['', ...titles].join(' & ')} \\\\`,
    '\\midrule',
    ...rows.map(line),
    '\\bottomrule',
    '\\end{tabular}',
    '',
  ].join('\n')
}

/** In LaTeX a minus sign is one only in mathematics. */
const number = (value: number, digits: number): string => decimal(value, digits).replace('\u2212', '$-$')

const SPECIAL: Record<string, string> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
}

const escaped = (text: string): string => text.replaceAll(/[\\&%$#_{}~^]/g, (c) => SPECIAL[c] ?? `\\${c}`)
