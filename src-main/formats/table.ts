/** Tables of text: CSV (RFC 4180) and TSV (as in BIDS), with a header line. */
import { extname } from 'node:path'
import { formatError } from '../base/errors.ts'
import type { ByteSource } from './source.ts'

/** Tables are read whole; a cell takes up to 40 times its bytes in memory, which is our stated budget for them. */
const maxLength = 256 * 2 ** 20
/** What stands for a missing number in BIDS, pandas, R and MATLAB. */
const missing = /^(n\/a|NA|N\/A|nan|NaN)?$/

export interface Table {
  /** Names from the header line. */
  columns: string[]
  rowCount: number
  /** Cells of a column; throws a format error when there is no such column. */
  text(column: string): string[]
  /** Numbers of a column, NaN where a cell says that its value is missing; throws a format error for anything else. */
  numbers(column: string): Float64Array
}

/** Reads a table; the separator is the tab for .tsv, the comma for .csv, and for other names the tab if the first line has one. Blank lines are skipped. */
export function openTable(source: ByteSource): Table {
  const where = source.name
  if (source.size > maxLength) throw formatError(where, 'size', `at most ${maxLength} bytes of text`, `${source.size}`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(source.read(0, source.size))
  } catch {
    throw formatError(where, 'text', 'UTF-8', 'other bytes', 'Save the table again as UTF-8.')
  }
  if (text.includes('\0')) throw formatError(where, 'text', 'text', 'binary data')
  const extension = extname(where).toLowerCase()
  const tabs = extension === '.tsv' || (extension !== '.csv' && /^[^\r\n]*\t/.test(text))
  const separator = tabs ? '\t' : ','

  let names: string[] | undefined
  let columns: string[][] = []
  let rowCount = 0
  for (const { cells, line } of records(where, text, separator)) {
    if (!names) {
      names = cells
      if (names.includes('') || new Set(names).size !== names.length)
        throw formatError(where, 'header', 'a name of its own for each column', names.join(', ').slice(0, 120))
      columns = names.map(() => [])
      continue
    }
    if (cells.length !== names.length)
      throw formatError(where, `line ${line}`, `${names.length} cells`, `${cells.length}`)
    cells.forEach((cell, i) => columns[i].push(cell))
    rowCount++
  }
  if (!names) throw formatError(where, 'header', 'a line with the names of the columns', 'nothing')
  const found = names
  function column(name: string): string[] {
    const index = found.indexOf(name)
    if (index < 0) throw formatError(where, 'columns', name, found.join(', ').slice(0, 200))
    return columns[index]
  }
  return {
    columns: found,
    rowCount,
    text: column,
    numbers: (name) =>
      Float64Array.from(column(name), (cell, row) => {
        const trimmed = cell.trim()
        if (missing.test(trimmed)) return NaN
        const number = /^[-+.\dIi]/.test(trimmed) && !/^[-+]?0[xob]/i.test(trimmed) ? Number(trimmed) : NaN
        if (Number.isNaN(number))
          throw formatError(where, `row ${row + 1}, ${name}`, 'a number', JSON.stringify(cell.slice(0, 40)))
        return number
      }),
  }
}

/** Splits a text into lines of cells. A cell in quotes may hold separators, line ends and, doubled, quotes. */
function* records(where: string, text: string, separator: string): Generator<{ cells: string[]; line: number }> {
  let line = 1
  for (let at = 0; at < text.length; line++) {
    const start = at
    const first = line
    const cells: string[] = []
    for (let more = true; more;) {
      if (text[at] === '"') {
        let end = at
        do {
          end = text.indexOf('"', end + 1)
          if (end < 0) throw formatError(where, `line ${first}`, 'a closing quote', 'the end of the file')
        } while (text[++end] === '"')
        const inner = text.slice(at + 1, end - 1)
        for (let i = inner.indexOf('\n'); i >= 0; i = inner.indexOf('\n', i + 1)) line++
        cells.push(inner.replaceAll('""', '"'))
        at = end
        if (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r')
          throw formatError(where, `line ${first}`, 'a separator after a closing quote', JSON.stringify(text[at]))
      } else {
        const from = at
        while (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r') at++
        cells.push(text.slice(from, at))
      }
      more = text[at] === separator
      if (more) at++
    }
    const blank = at === start
    if (text[at] === '\r') at++
    if (text[at] === '\n') at++
    if (!blank) yield { cells, line: first }
  }
}

/** A table with a header line; cells are quoted where they need it. Columns must be of one length. */
export function encodeTable(
  columns: Record<string, ArrayLike<string | number>>,
  separator: ',' | '\t' = '\t',
): Uint8Array {
  const names = Object.keys(columns)
  const lists = Object.values(columns)
  const rowCount = lists[0]?.length ?? 0
  if (lists.some(({ length }) => length !== rowCount))
    throw new RangeError(`columns of ${lists.map(({ length }) => length)} rows`)
  // A lone empty cell would read as a blank line.
  const quote = (cell: string | number) => {
    const text = String(cell)
    return /["\r\n\t,]/.test(text) || (text === '' && names.length === 1) ? `"${text.replaceAll('"', '""')}"` : text
  }
  const lines = [names.map(quote).join(separator)]
  for (let row = 0; row < rowCount; row++) lines.push(lists.map((list) => quote(list[row])).join(separator))
  return Buffer.from(`${lines.join('\n')}\n`)
}
