import type { ArrayEntry } from '../formats/array.ts'
import { formatError } from '../base/errors.ts'
import { toFloat32, toIntegers } from './inventory.ts'

/** Rows of several matrices (n_i, V) as if they were one, read when asked for. */
export interface Matrix {
  rows: number
  columns: number
  read(start: number, stop: number): Float32Array
}

/** Stacks matrices of equal width; throws a format error that names the one that differs. */
export function stackRows(entries: readonly ArrayEntry[], where: string): Matrix {
  for (const entry of entries)
    if (entry.shape.length !== 2)
      throw formatError(where, entry.name, 'a matrix (trials, voxels)', `shape [${entry.shape}]`)
  const columns = entries[0].shape[1]
  for (const entry of entries)
    if (entry.shape[1] !== columns)
      throw formatError(where, entry.name, `${columns} columns, as ${entries[0].name} has`, String(entry.shape[1]))
  return {
    rows: entries.reduce((n, entry) => n + entry.shape[0], 0),
    columns,
    read(start, stop) {
      const out = new Float32Array((stop - start) * columns)
      let offset = 0
      for (const entry of entries) {
        const from = Math.max(start, offset)
        const to = Math.min(stop, offset + entry.shape[0])
        if (from < to) out.set(toFloat32(entry.readRows(from - offset, to - offset)), (from - start) * columns)
        offset += entry.shape[0]
      }
      return out
    },
  }
}

/** One whole number per trial from vectors of any orientation, stacked; throws a format error when their count is not `count`. */
export function stackIntegers(entries: readonly ArrayEntry[], count: number, where: string): Int32Array {
  const parts = entries.map((entry) => toIntegers(entry.read(), `${where}, ${entry.name}`))
  const total = parts.reduce((n, part) => n + part.length, 0)
  if (total !== count)
    throw formatError(
      where,
      entries.map((entry) => entry.name).join(' + '),
      `${count} numbers, one per trial`,
      String(total),
    )
  const out = new Int32Array(count)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
