/** Three orthogonal slices through the volume that the voxels are cells of. */
/** Fixed along right, anterior, superior. */
export type Plane = 0 | 1 | 2
export const PLANES: readonly Plane[] = [0, 1, 2]
export const PLANE_TITLES = ['Sagittal', 'Coronal', 'Axial'] as const

/** A picture of voxel numbers, -1 for none, row by row from the upper left. */
export interface Slice {
  width: number
  height: number
  voxels: Int32Array
  /** Sizes of a cell, mm. */
  cell: [number, number]
  /** What is at the left, right, top and bottom. */
  edges: [string, string, string, string]
}

/** Across and up in the slice of each plane, as axes of RAS; left is left. */
const AXES: Record<Plane, [number, number]> = { 0: [1, 2], 1: [0, 2], 2: [0, 1] }
const ENDS = [
  ['L', 'R'],
  ['P', 'A'],
  ['I', 'S'],
]

/** The volume turned so that its axes run as nearly as possible to the right, to the front and up; cropped to the voxels. */
export class SliceVolume {
  /** Cells along right, anterior, superior after turning and cropping. */
  readonly shape: readonly [number, number, number]
  private readonly voxelAt: Int32Array
  private readonly places: Int32Array // (V * 3)
  private readonly sizes: number[]

  /**
   * @param ijk (V * 3) cell of each voxel
   * @param affine row-major 4 x 4, cells to mm
   */
  constructor(ijk: Int32Array, affine: readonly number[]) {
    const { axis, sign, size } = orientation(affine)
    this.sizes = size
    const count = ijk.length / 3
    const turned = new Int32Array(ijk.length)
    const low = [Infinity, Infinity, Infinity]
    const high = [-Infinity, -Infinity, -Infinity]
    for (let v = 0; v < count; v++)
      for (let k = 0; k < 3; k++) {
        const c = (turned[3 * v + k] = sign[k] * ijk[3 * v + axis[k]])
        low[k] = Math.min(low[k], c)
        high[k] = Math.max(high[k], c)
      }
    this.shape = count ? [high[0] - low[0] + 3, high[1] - low[1] + 3, high[2] - low[2] + 3] : [1, 1, 1]
    this.voxelAt = new Int32Array(this.shape[0] * this.shape[1] * this.shape[2]).fill(-1)
    for (let v = 0; v < count; v++) {
      for (let k = 0; k < 3; k++) turned[3 * v + k] += 1 - low[k]
      this.voxelAt[this.offset(turned[3 * v], turned[3 * v + 1], turned[3 * v + 2])] = v
    }
    this.places = turned
  }

  /** Cell of a voxel in the turned, cropped volume. */
  placeOf(voxel: number): [number, number, number] {
    return [this.places[3 * voxel], this.places[3 * voxel + 1], this.places[3 * voxel + 2]]
  }

  /** The voxel nearest to the middle of all, where nothing is selected; undefined without voxels. */
  middleVoxel(): number | undefined {
    const count = this.places.length / 3
    const mean = [0, 1, 2].map((k) => {
      let sum = 0
      for (let v = 0; v < count; v++) sum += this.places[3 * v + k]
      return sum / count
    })
    let best: number | undefined
    let least = Infinity
    for (let v = 0; v < count; v++) {
      const off = mean.reduce((sum, c, k) => sum + (this.places[3 * v + k] - c) ** 2, 0)
      if (off < least) [best, least] = [v, off]
    }
    return best
  }

  slice(plane: Plane, at: number): Slice {
    const [across, up] = AXES[plane]
    const [width, height] = [this.shape[across], this.shape[up]]
    const voxels = new Int32Array(width * height)
    const cell = [0, 0, 0]
    cell[plane] = Math.min(this.shape[plane] - 1, Math.max(0, at))
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        cell[across] = column
        cell[up] = height - 1 - row
        voxels[row * width + column] = this.voxelAt[this.offset(cell[0], cell[1], cell[2])]
      }
    return {
      width,
      height,
      voxels,
      cell: [this.sizes[across], this.sizes[up]],
      edges: [ENDS[across][0], ENDS[across][1], ENDS[up][1], ENDS[up][0]],
    }
  }

  /** Column and row of a cell in the slice of a plane. */
  static inSlice(plane: Plane, cell: readonly number[], height: number): [number, number] {
    const [across, up] = AXES[plane]
    return [cell[across], height - 1 - cell[up]]
  }

  private offset(x: number, y: number, z: number) {
    return (z * this.shape[1] + y) * this.shape[0] + x
  }
}

/** For right, anterior and superior: the volume's axis that runs most that way, its direction, and its cell size in mm. */
function orientation(affine: readonly number[]): { axis: number[]; sign: number[]; size: number[] } {
  const axis: number[] = []
  const sign: number[] = []
  const size: number[] = []
  for (let world = 0; world < 3; world++) {
    const free = [0, 1, 2].filter((a) => !axis.includes(a))
    const best = free.reduce((a, b) => (Math.abs(affine[4 * world + b]) > Math.abs(affine[4 * world + a]) ? b : a))
    axis.push(best)
    sign.push(affine[4 * world + best] < 0 ? -1 : 1)
    size.push(Math.hypot(affine[best], affine[4 + best], affine[8 + best]))
  }
  return { axis, sign, size }
}
