import type { Image } from '../../formats/images.ts'

/** A hemisphere with what is shown on it. */
export interface PaintedMesh {
  /** (N, 3) in mm RAS. */
  points: Float32Array
  /** (F, 3) */
  faces: Uint32Array
  /** (N), above 0 in sulci. */
  curvature?: Float32Array
  /** (N), NaN where nothing is known. */
  values: Float32Array
  /** Bits of the areas that each vertex belongs to, (N): their borders are drawn. */
  areas?: Uint32Array
}

type Axis = readonly [number, number, number]

/** From where one looks: the directions to the right and upwards on the page, and towards the eye. */
export interface Direction {
  right: Axis
  up: Axis
  towards: Axis
}

export interface Frame {
  /** Millimetres from the middle of the mesh that lie at the left and the lower edge, and how many there are across and up. */
  left: number
  bottom: number
  width: number
  height: number
}

const dot = (points: Float32Array, vertex: number, [x, y, z]: Axis) =>
  points[3 * vertex] * x + points[3 * vertex + 1] * y + points[3 * vertex + 2] * z

/** Around all of a mesh, seen from there. */
export function frameOf({ points }: Pick<PaintedMesh, 'points'>, { right, up }: Direction): Frame {
  const [low, high] = [
    [Infinity, Infinity],
    [-Infinity, -Infinity],
  ]
  for (let vertex = 0; vertex < points.length / 3; vertex++)
    [right, up].forEach((axis, k) => {
      const at = dot(points, vertex, axis)
      low[k] = Math.min(low[k], at)
      high[k] = Math.max(high[k], at)
    })
  return { left: low[0], bottom: low[1], width: high[0] - low[0], height: high[1] - low[1] }
}

/** Gyri and sulci in two steps of grey; borders of areas, dark within and light outside, so that they are seen on every colour. */
const [GYRUS, SULCUS, INSIDE, OUTSIDE] = [205, 150, 20, 255]
/** Width of either side of a border, as a share of the picture's. */
const BORDER = 1 / 500
/** Each pixel is the mean of so many in either direction. */
const FINER = 2

/**
 * A mesh in parallel projection, hidden parts hidden, on white: every point has the colour of its nearest vertex, without any shading, so that a
 * colour means its number. `colour` gives sRGB bytes of a value, undefined where anatomy shows.
 */
export function paintCortex(
  mesh: PaintedMesh,
  direction: Direction,
  frame: Frame,
  across: number,
  colour: (value: number) => readonly [number, number, number] | undefined,
): Image {
  const [width, height] = [across * FINER, Math.max(1, Math.round((across * frame.height) / frame.width)) * FINER]
  const nearest = project(mesh, direction, frame, width, height)
  const reach = Math.max(1, Math.round(width * BORDER))
  const fine = new Uint8Array(width * height * 3).fill(255)
  for (let pixel = 0; pixel < nearest.length; pixel++) {
    const vertex = nearest[pixel]
    if (vertex < 0) continue
    const border = mesh.areas && borderAt(mesh.areas, nearest, pixel, width, reach)
    const anatomy = (mesh.curvature?.[vertex] ?? -1) > 0 ? SULCUS : GYRUS
    const shown = border === undefined ? colour(mesh.values[vertex]) : undefined
    for (let k = 0; k < 3; k++) fine[3 * pixel + k] = shown ? shown[k] : (border ?? anatomy)
  }
  return shrunk(fine, width, height)
}

/** Number of the vertex that is seen at each pixel, (height, width); -1 for none. */
function project(
  { points, faces }: PaintedMesh,
  { right, up, towards }: Direction,
  frame: Frame,
  width: number,
  height: number,
): Int32Array {
  const N = points.length / 3
  const place = new Float32Array(3 * N) // pixels from the left and the top, mm towards the eye
  for (let vertex = 0; vertex < N; vertex++) {
    place[3 * vertex] = ((dot(points, vertex, right) - frame.left) / frame.width) * width
    place[3 * vertex + 1] = (1 - (dot(points, vertex, up) - frame.bottom) / frame.height) * height
    place[3 * vertex + 2] = dot(points, vertex, towards)
  }
  const nearest = new Int32Array(width * height).fill(-1)
  const depth = new Float32Array(width * height).fill(-Infinity)
  for (let face = 0; face < faces.length; face += 3) {
    const [a, b, c] = [faces[face], faces[face + 1], faces[face + 2]]
    const [ax, ay, bx, by] = [place[3 * a], place[3 * a + 1], place[3 * b], place[3 * b + 1]]
    const [cx, cy] = [place[3 * c], place[3 * c + 1]]
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    if (!(Math.abs(area) > 1e-9)) continue // seen edge-on, or cut away
    const [left, top] = [Math.max(0, Math.floor(Math.min(ax, bx, cx))), Math.max(0, Math.floor(Math.min(ay, by, cy)))]
    const far = Math.min(width - 1, Math.ceil(Math.max(ax, bx, cx)))
    const low = Math.min(height - 1, Math.ceil(Math.max(ay, by, cy)))
    for (let y = top; y <= low; y++)
      for (let x = left; x <= far; x++) {
        const [px, py] = [x + 0.5, y + 0.5]
        const wb = ((px - ax) * (cy - ay) - (cx - ax) * (py - ay)) / area
        const wc = ((bx - ax) * (py - ay) - (px - ax) * (by - ay)) / area
        const wa = 1 - wb - wc
        if (wa < 0 || wb < 0 || wc < 0) continue
        const z = wa * place[3 * a + 2] + wb * place[3 * b + 2] + wc * place[3 * c + 2]
        const pixel = y * width + x
        if (z <= depth[pixel]) continue
        depth[pixel] = z
        nearest[pixel] = wa >= wb && wa >= wc ? a : wb >= wc ? b : c
      }
  }
  return nearest
}

/** The grey of a border between areas, `reach` pixels to either side of it; undefined where none is. */
function borderAt(areas: Uint32Array, nearest: Int32Array, pixel: number, width: number, reach: number) {
  const own = areas[nearest[pixel]]
  for (const step of [reach, reach * width, -reach, -reach * width]) {
    const other = nearest[pixel + step]
    if (other >= 0 && areas[other] !== own) return own > areas[other] ? INSIDE : OUTSIDE
  }
  return undefined
}

function shrunk(fine: Uint8Array, width: number, height: number): Image {
  const [across, down] = [width / FINER, height / FINER]
  const data = new Uint8Array(across * down * 3)
  for (let y = 0; y < down; y++)
    for (let x = 0; x < across; x++)
      for (let k = 0; k < 3; k++) {
        let sum = 0
        for (let j = 0; j < FINER; j++)
          for (let i = 0; i < FINER; i++) sum += fine[((y * FINER + j) * width + x * FINER + i) * 3 + k]
        data[(y * across + x) * 3 + k] = Math.round(sum / FINER ** 2)
      }
  return { width: across, height: down, channels: 3, data }
}
