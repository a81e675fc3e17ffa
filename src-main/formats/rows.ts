import { dtypes, elementCount, type ArrayEntry, type NdArray } from './array.ts'

/**
 * The rows `rows` of an array, in that order, repeats allowed; shape `[rows.length, ...shape.slice(1)]`.
 * The file is read once through in its own order, neighbouring rows in one go and at most 16 MB at a time.
 */
export function readRowList(entry: ArrayEntry, rows: ArrayLike<number>): NdArray {
  const rowShape = entry.shape.slice(1)
  const width = elementCount(rowShape)
  const data = new dtypes[entry.dtype](rows.length * width)
  const order = Array.from(rows, (_, i) => i).sort((a, b) => rows[a] - rows[b])
  const longest = Math.max(1, Math.floor((16 << 20) / Math.max(1, width * data.BYTES_PER_ELEMENT)))

  for (let i = 0; i < order.length;) {
    const start = rows[order[i]]
    let end = i + 1
    while (end < order.length && rows[order[end]] - rows[order[end - 1]] <= 1 && rows[order[end]] - start < longest)
      end++
    const found = entry.readRows(start, rows[order[end - 1]] + 1).data
    for (; i < end; i++) {
      const at = (rows[order[i]] - start) * width
      // set() of mixed number and BigInt arrays would not type-check, but both come from the same entry
      data.set(found.subarray(at, at + width) as never, order[i] * width)
    }
  }
  return { dtype: entry.dtype, shape: [rows.length, ...rowShape], data }
}

/** All of an array in stretches of whole rows, at most `limit` bytes each or one row. */
export function* stretches(entry: ArrayEntry, limit = 16 << 20): Generator<NdArray> {
  const [rows] = entry.shape
  if (rows === undefined) {
    yield entry.read()
    return
  }
  const rowBytes = elementCount(entry.shape.slice(1)) * dtypes[entry.dtype].BYTES_PER_ELEMENT
  const step = Math.max(1, Math.floor(limit / Math.max(1, rowBytes)))
  for (let row = 0; row < rows; row += step) yield entry.readRows(row, Math.min(rows, row + step))
}
