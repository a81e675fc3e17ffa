import { formatError } from '../base/errors.ts'
import { openNpy } from '../formats/npy.ts'
import { openFile } from '../formats/source.ts'

/** Rows of an .npy file, read when asked for. */
export interface RowStore {
  /** Elements per row. */
  width: number
  /** Copies the rows, in the order asked for, into `out`. */
  gather(rows: ArrayLike<number>, out: Float32Array | Uint8Array): void
  close(): void
}

/** Opens an .npy of this type and shape; throws a format error when it is another. */
export function openRows(path: string, dtype: 'float32' | 'uint8', shape: number[]): RowStore {
  const file = openNpy(openFile(path))
  const entry = file.arrays[0]
  if (entry.dtype !== dtype || entry.shape.join() !== shape.join()) {
    file.close()
    throw formatError(
      path,
      'shape',
      `${dtype} [${shape}]`,
      `${entry.dtype} [${entry.shape}]`,
      'Delete the cache folder; it is rebuilt.',
    )
  }
  const width = shape.slice(1).reduce((a, b) => a * b, 1)
  return {
    width,
    gather(rows, out) {
      for (let i = 0; i < rows.length;) {
        const first = rows[i]
        if (!Number.isInteger(first) || first < 0 || first >= shape[0])
          throw new RangeError(`row ${first} of ${path} is not in 0..${shape[0] - 1}`)
        let n = 1
        while (i + n < rows.length && rows[i + n] === first + n && first + n < shape[0]) n++
        // The dtype was checked on opening.
        out.set(entry.readRows(first, first + n).data as Float32Array | Uint8Array, i * width)
        i += n
      }
    },
    close: () => file.close(),
  }
}
