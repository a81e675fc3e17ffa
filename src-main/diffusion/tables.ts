/** torch.linspace in float32: steps from both ends, so that the second half rounds as the original's does. */
export function linspace32(start: number, end: number, count: number): Float32Array<ArrayBuffer> {
  const [first, last] = [Math.fround(start), Math.fround(end)]
  const step = Math.fround(Math.fround(last - first) / (count - 1))
  return Float32Array.from({ length: count }, (_, i) =>
    i < count >> 1 ? first + Math.fround(step * i) : last - Math.fround(step * (count - 1 - i)),
  )
}
