import { resizeImage } from '../formats/images.ts'
import type { Random } from '../nn/random.ts'
import type { StimulusImages } from '../subjects/subject.ts'

/** Square pictures in [0, 1], (count, side, side, channels) in C order. */
export interface ImageTensor {
  count: number
  side: number
  channels: number
  data: Float32Array
}

/** Side of pictures of a size when they are squared to at most `side` pixels. */
export const squaredSide = ({ height, width }: { height: number; width: number }, side: number): number =>
  Math.min(side, Math.max(height, width))

/** Pictures squared to at most `side` pixels, in [0, 1]. */
export async function toImageTensor(images: StimulusImages, side: number): Promise<ImageTensor> {
  const { count, height, width, channels } = images
  const size = squaredSide(images, side)
  const [from, to] = [height * width * channels, size * size * channels]
  const data = new Float32Array(count * to)
  for (let i = 0; i < count; i++) {
    const picture = { data: images.data.slice(i * from, (i + 1) * from), width, height, channels }
    const { data: pixels } = width === size && height === size ? picture : await resizeImage(picture, size, size)
    for (let at = 0; at < to; at++) data[i * to + at] = pixels[at] / 255
  }
  return { count, side: size, channels, data }
}

/** Largest changes of an augmented copy: shift and scale as shares of the side, rotation in rad. */
export interface AffineRange {
  shift: number
  rotation: number
  scale: number
}

/** Shifted, rotated and scaled copies of chosen pictures, (indices.length, side² · channels); edges are continued. */
export function augment(
  images: ImageTensor,
  indices: ArrayLike<number>,
  range: AffineRange,
  random: Random,
): Float32Array {
  const { side, channels, data } = images
  const size = side * side * channels
  const out = new Float32Array(indices.length * size)
  const middle = (side - 1) / 2
  const within = (largest: number) => largest * (2 * random.uniform() - 1)
  const last = side - 1
  for (let i = 0; i < indices.length; i++) {
    const [angle, zoom] = [within(range.rotation), 1 + within(range.scale)]
    const [dx, dy] = [within(range.shift) * side, within(range.shift) * side]
    const [cos, sin] = [Math.cos(angle) / zoom, Math.sin(angle) / zoom]
    const from = indices[i] * size
    let to = i * size
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) {
        const u = x - middle - dx
        const v = y - middle - dy
        const fromX = Math.min(last, Math.max(0, cos * u + sin * v + middle))
        const fromY = Math.min(last, Math.max(0, cos * v - sin * u + middle))
        const x0 = Math.floor(fromX)
        const y0 = Math.floor(fromY)
        const a = fromX - x0
        const b = fromY - y0
        const right = x0 < last ? channels : 0
        const below = y0 < last ? side * channels : 0
        let at = from + (y0 * side + x0) * channels
        for (let c = 0; c < channels; c++, at++, to++)
          out[to] =
            (1 - b) * ((1 - a) * data[at] + a * data[at + right]) +
            b * ((1 - a) * data[at + below] + a * data[at + below + right])
      }
  }
  return out
}
