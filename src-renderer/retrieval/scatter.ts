/** What is shown of the plane: its middle (in units of the map) and pixels per unit. */
export interface View {
  x: number
  y: number
  scale: number
}

export interface Size {
  width: number
  height: number
}

/** The view in which all points (n, 2) fit, with a margin in pixels. */
export function fitView(xy: Float32Array, { width, height }: Size, margin = 24): View {
  const [low, high] = [
    [Infinity, Infinity],
    [-Infinity, -Infinity],
  ]
  for (let i = 0; i < xy.length; i++) {
    low[i % 2] = Math.min(low[i % 2], xy[i])
    high[i % 2] = Math.max(high[i % 2], xy[i])
  }
  const [across, up] = [0, 1].map((axis) => Math.max(1e-9, high[axis] - low[axis]))
  const scale = Math.max(1e-9, Math.min((width - 2 * margin) / across, (height - 2 * margin) / up))
  return { x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2, scale }
}

/** Where a point is on the canvas, CSS pixels; y points up in the map. */
export const toCanvas = (view: View, { width, height }: Size, x: number, y: number): [number, number] => [
  width / 2 + (x - view.x) * view.scale,
  height / 2 - (y - view.y) * view.scale,
]

/** The same view with `factor` times the scale, the point under the pointer kept in its place. */
export function zoomed(view: View, size: Size, px: number, py: number, factor: number): View {
  const [dx, dy] = [px - size.width / 2, size.height / 2 - py]
  const scale = view.scale * factor
  return { x: view.x + dx / view.scale - dx / scale, y: view.y + dy / view.scale - dy / scale, scale }
}

/** The point nearest to a place on the canvas, within `most` pixels; -1 where there is none. */
export function nearestPoint(xy: Float32Array, view: View, size: Size, px: number, py: number, most = 12): number {
  let best = -1
  let least = most * most
  for (let i = 0; i < xy.length / 2; i++) {
    const [x, y] = toCanvas(view, size, xy[2 * i], xy[2 * i + 1])
    const distance = (x - px) ** 2 + (y - py) ** 2
    if (distance <= least) {
      least = distance
      best = i
    }
  }
  return best
}

export interface Ink {
  brain: string
  image: string
  line: string
  accent: string
  ground: string
}

export interface Marks {
  /** Points of the selected trial: its pattern and its image. */
  selected?: readonly [number, number]
  hovered: number
}

/** Patterns as filled dots, images as rings, the selected pair joined by a line. */
export function drawScatter(
  canvas: HTMLCanvasElement,
  size: Size,
  { xy, patterns }: { xy: Float32Array; patterns: number },
  view: View,
  { selected, hovered }: Marks,
  ink: Ink,
): void {
  const density = window.devicePixelRatio || 1
  const [width, height] = [Math.round(size.width * density), Math.round(size.height * density)]
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
  const context = canvas.getContext('2d')!
  context.setTransform(density, 0, 0, density, 0, 0)
  context.clearRect(0, 0, size.width, size.height)
  const n = xy.length / 2
  const at = (i: number) => toCanvas(view, size, xy[2 * i], xy[2 * i + 1])
  const radius = n > 1500 ? 2 : n > 300 ? 2.5 : 3.5
  const circle = (i: number, r: number) => {
    const [x, y] = at(i)
    context.moveTo(x + r, y)
    context.arc(x, y, r, 0, 2 * Math.PI)
  }
  context.lineWidth = 1.25
  context.strokeStyle = ink.image
  context.beginPath()
  for (let i = patterns; i < n; i++) circle(i, radius)
  context.stroke()
  context.fillStyle = ink.brain
  context.beginPath()
  for (let i = 0; i < patterns; i++) circle(i, radius)
  context.fill()
  if (hovered >= 0) {
    context.lineWidth = 1.5
    context.strokeStyle = ink.line
    context.beginPath()
    circle(hovered, radius + 4)
    context.stroke()
  }
  if (!selected) return
  const [from, to] = selected.map(at)
  context.lineWidth = 1
  context.strokeStyle = ink.accent
  context.beginPath()
  context.moveTo(...from)
  context.lineTo(...to)
  context.stroke()
  context.lineWidth = 2
  for (const [i, isFilled] of [
    [selected[0], true],
    [selected[1], false],
  ] as const) {
    context.beginPath()
    circle(i, radius + 2.5)
    context.fillStyle = isFilled ? ink.brain : ink.ground
    context.fill()
    context.stroke()
  }
}
