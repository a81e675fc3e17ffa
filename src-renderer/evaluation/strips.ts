/**
 * Where points of one strip lie so that they don't cover each other: offsets from its middle in pixels, for positions `x` (pixels) of points
 * with this radius. What does not fit within `room` to either side is laid over the others at its edge.
 */
export function spread(x: readonly number[], radius: number, room: number): number[] {
  const order = x.map((_, i) => i).sort((a, b) => x[a] - x[b])
  const offsets = new Array<number>(x.length).fill(0)
  const placed: number[] = []
  const step = radius
  for (const i of order) {
    const near = placed.filter((j) => x[i] - x[j] < 2 * radius)
    const isFree = (offset: number) =>
      near.every((j) => (x[i] - x[j]) ** 2 + (offset - offsets[j]) ** 2 >= (2 * radius) ** 2)
    let offset = 0
    for (let k = 1; !isFree(offset) && Math.abs(offset) <= room; k++)
      offset = (k % 2 ? 1 : -1) * Math.ceil(k / 2) * step
    offsets[i] = Math.max(-room, Math.min(room, offset))
    placed.push(i)
  }
  return offsets
}
