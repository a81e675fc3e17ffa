/** Most cells that a grid is cut into; beyond, its cells become larger. */
const MOST_CELLS = 1 << 24

/** Points (n, 3) sorted into cubes, so that those near a place are found without looking at the others. Points that are not finite are left out. */
export class PointGrid {
  private readonly points: Float32Array
  private readonly cell: number
  private readonly low: number[]
  private readonly size: number[]
  /** Where the points of each cell begin in `order`. */
  private readonly start: Int32Array
  private readonly order: Int32Array

  /** `reach`: how far from a place `near` has to look, in the unit of the points. */
  constructor(points: Float32Array, reach: number) {
    this.points = points
    const low = [Infinity, Infinity, Infinity]
    const high = [-Infinity, -Infinity, -Infinity]
    const n = points.length / 3
    let finite = 0
    for (let p = 0; p < n; p++) {
      if (!this.isFinite(p)) continue
      finite++
      for (let c = 0; c < 3; c++) {
        low[c] = Math.min(low[c], points[3 * p + c])
        high[c] = Math.max(high[c], points[3 * p + c])
      }
    }
    let cell = Math.max(reach, 1e-6)
    const sizes = () => low.map((from, c) => (finite ? Math.floor((high[c] - from) / cell) + 1 : 1))
    while (sizes().reduce((a, b) => a * b, 1) > MOST_CELLS) cell *= 2
    this.cell = cell
    this.low = low
    this.size = sizes()
    const cells = this.size.reduce((a, b) => a * b, 1)
    this.start = new Int32Array(cells + 1)
    this.order = new Int32Array(finite)
    const cellOf = new Int32Array(n).fill(-1)
    for (let p = 0; p < n; p++) {
      if (!this.isFinite(p)) continue
      const [x, y, z] = [0, 1, 2].map((c) => Math.floor((points[3 * p + c] - low[c]) / cell))
      cellOf[p] = (x * this.size[1] + y) * this.size[2] + z
      this.start[cellOf[p] + 1]++
    }
    for (let i = 0; i < cells; i++) this.start[i + 1] += this.start[i]
    const next = this.start.slice()
    for (let p = 0; p < n; p++) if (cellOf[p] >= 0) this.order[next[cellOf[p]]++] = p
  }

  private isFinite(p: number): boolean {
    const { points } = this
    return Number.isFinite(points[3 * p] + points[3 * p + 1] + points[3 * p + 2])
  }

  /** The nearest point within `limit` (at most the grid's reach) of a place, and how far it is; -1 where there is none. */
  nearest(x: number, y: number, z: number, limit: number): { index: number; distance: number } {
    const { points, low, size, cell } = this
    const place = [x, y, z]
    const from = place.map((value, c) => Math.max(0, Math.floor((value - limit - low[c]) / cell)))
    const to = place.map((value, c) => Math.min(size[c] - 1, Math.floor((value + limit - low[c]) / cell)))
    let index = -1
    let best = limit * limit
    for (let i = from[0]; i <= to[0]; i++)
      for (let j = from[1]; j <= to[1]; j++) {
        const row = (i * size[1] + j) * size[2]
        // Cells in a row lie side by side.
        const stop = to[2] < from[2] ? 0 : this.start[row + to[2] + 1]
        for (let o = this.start[row + from[2]]; o < stop; o++) {
          const p = this.order[o]
          const square = (points[3 * p] - x) ** 2 + (points[3 * p + 1] - y) ** 2 + (points[3 * p + 2] - z) ** 2
          if (square < best || (square === best && (index < 0 || p < index))) {
            best = square
            index = p
          }
        }
      }
    return { index, distance: Math.sqrt(best) }
  }
}
