/** Draws slices and the borders of ROIs in them. */
import type { ColourScale } from '../shared/colourScale.ts'
import type { Slice } from './slices.ts'

const ANATOMY = 'rgb(115 115 115)'
const HATCH = 'rgb(186 186 186)'

/** Draws a slice into (0, 0) to (width * k, height * k): colours of the scale, anatomy below the threshold, hatching where missing. */
export function drawSlice(
  context: CanvasRenderingContext2D,
  { width, height, voxels }: Slice,
  [kx, ky]: readonly [number, number],
  values: Float32Array | undefined,
  scale: ColourScale | undefined,
) {
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const voxel = voxels[row * width + column]
      if (voxel < 0) continue
      const [x, y] = [Math.floor(column * kx), Math.floor(row * ky)]
      const [w, h] = [Math.floor((column + 1) * kx) - x, Math.floor((row + 1) * ky) - y]
      const value = values?.[voxel]
      const rgb = value === undefined ? undefined : scale?.rgb(value)
      context.fillStyle = rgb ? `rgb(${rgb.join(' ')})` : ANATOMY
      context.fillRect(x, y, w, h)
      if (value !== undefined && !Number.isFinite(value)) {
        context.fillStyle = HATCH
        for (let i = 0; i < Math.max(w, h); i += 3) context.fillRect(x + (i % w), y + h - 1 - (i % h), 1, 1)
      }
    }
}

/** Draws the border of a set of voxels in a slice. */
export function drawBorder(
  context: CanvasRenderingContext2D,
  { width, height, voxels }: Slice,
  [kx, ky]: readonly [number, number],
  has: (voxel: number) => boolean,
  colour: string,
) {
  const inside = (column: number, row: number) => {
    if (column < 0 || row < 0 || column >= width || row >= height) return false
    const voxel = voxels[row * width + column]
    return voxel >= 0 && has(voxel)
  }
  context.beginPath()
  for (let row = 0; row <= height; row++)
    for (let column = 0; column <= width; column++) {
      const here = inside(column, row)
      const [x, y] = [Math.floor(column * kx), Math.floor(row * ky)]
      if (here !== inside(column - 1, row)) {
        context.moveTo(x, y)
        context.lineTo(x, Math.floor((row + 1) * ky))
      }
      if (here !== inside(column, row - 1)) {
        context.moveTo(x, y)
        context.lineTo(Math.floor((column + 1) * kx), y)
      }
    }
  context.strokeStyle = colour
  context.lineWidth = 1.5
  context.stroke()
}
