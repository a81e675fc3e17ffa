import { createHash } from 'node:crypto'
import { formatError } from '../base/errors.ts'

/** Pictures given once per trial, made distinct. */
export interface Figures {
  /** (trials) index of the trial's picture among the distinct ones. */
  stimulus: Int32Array
  ids: string[]
  image: { height: number; width: number; channels: 1 | 3 }
  /** Bytes per picture. */
  size: number
  /** (distinct, H, W, C) upright. */
  pixels: Uint8Array
  /** What the values were, in words. */
  scale: string
}

/** How the pixels of one row lie: MATLAB's column after column, or row after row. */
export type PixelOrder = 'column-major' | 'row-major'

/** Bytes from values in [0, 1] or 0..255; throws a format error for anything else. */
function toBytes(values: Float32Array, where: string): { bytes: Uint8Array; scale: string } {
  let low = Infinity
  let high = -Infinity
  for (const x of values) {
    // A comparison with NaN is false, so NaN is caught by the test below.
    if (!(x >= low)) low = x
    if (!(x <= high)) high = x
  }
  if (!(low >= 0 && high <= 255))
    throw formatError(where, 'pixel values', 'values in [0, 1] or 0..255', `${low} to ${high}`)
  const unit = high <= 1
  const bytes = Uint8Array.from(values, (x) => Math.round(unit ? x * 255 : x))
  return { bytes, scale: unit ? 'values in [0, 1]' : 'values in 0..255' }
}

/** Side and channels of a square picture of `columns` values. */
function squareOf(columns: number, where: string): { side: number; channels: 1 | 3 } {
  for (const channels of [1, 3] as const) {
    const side = Math.sqrt(columns / channels)
    if (Number.isInteger(side) && side >= 2) return { side, channels }
  }
  throw formatError(where, 'columns', 'a square number of pixels, or three times one', String(columns))
}

/**
 * Distinct pictures from one row of pixels per trial (`values`: trials x columns). Equal rows are one picture; ids count in
 * order of appearance. Colour pictures are planes in column-major order and interleaved in row-major order.
 */
export function figuresFromRows(values: Float32Array, columns: number, order: PixelOrder, where: string): Figures {
  const { side, channels } = squareOf(columns, where)
  const { bytes, scale } = toBytes(values, where)
  const trials = values.length / columns
  const stimulus = new Int32Array(trials)
  const known = new Map<string, number>()
  const rows: Uint8Array[] = []
  for (let t = 0; t < trials; t++) {
    const row = bytes.subarray(t * columns, (t + 1) * columns)
    const hash = createHash('sha1').update(row).digest('hex')
    let at = known.get(hash)
    if (at === undefined) {
      known.set(hash, (at = rows.length))
      rows.push(row)
    }
    stimulus[t] = at
  }
  const pixels = new Uint8Array(rows.length * columns)
  rows.forEach((row, i) => {
    const picture = pixels.subarray(i * columns, (i + 1) * columns)
    if (order === 'row-major') picture.set(row)
    else
      for (let c = 0; c < channels; c++)
        for (let x = 0; x < side; x++)
          for (let y = 0; y < side; y++) picture[(y * side + x) * channels + c] = row[(c * side + x) * side + y]
  })
  const ids = rows.map((_, i) => `image-${String(i + 1).padStart(4, '0')}`)
  return { stimulus, ids, image: { height: side, width: side, channels }, size: columns, pixels, scale }
}
