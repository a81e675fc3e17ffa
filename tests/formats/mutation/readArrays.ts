import type { ArrayFile } from '../../../src-main/formats/array.ts'
import { openFile } from '../../../src-main/formats/source.ts'
import type { ByteSource } from '../../../src-main/formats/source.ts'
import type { Reading } from './mutations.ts'

export const rowsCheck = 'rows equal the whole'

/** Every array of a file, read whole; where rows read apart give anything else, they are added as a reading that fails. */
export function readArrays(path: string, open: (source: ByteSource) => ArrayFile): Reading[] {
  const source = openFile(path)
  try {
    return open(source).arrays.flatMap((entry) => {
      const { shape, data } = entry.read()
      const reading = { name: `${entry.name} ${entry.dtype}`, shape, data }
      if (!shape.length) return [reading]
      const rows = entry.readRows(shape[0] >> 1, shape[0])
      const width = shape[0] ? data.length / shape[0] : 0
      const same = rows.data.every((value: number | bigint, i: number) =>
        Object.is(value, data[(shape[0] >> 1) * width + i]),
      )
      return [reading, { name: rowsCheck, shape: [1], data: same ? [1] : [] }]
    })
  } finally {
    source.close()
  }
}
