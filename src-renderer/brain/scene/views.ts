/** Where the camera may stand: six standard views, the view of the flat map, and the arithmetic of moving between them. */
import { Matrix4, Quaternion, Vector3 } from 'three'

export type ViewName = 'anterior' | 'superior' | 'caudal' | 'ventral' | 'medial' | 'outer'

/** A camera's state. `open` turns the hemispheres like a book: 1 shows both lateral sides, -1 both medial ones. */
export interface View {
  orientation: Quaternion
  /** Point in the middle of the picture, mm. */
  target: Vector3
  /** Millimetres from the lower to the upper edge of the picture. */
  height: number
  open: number
}

const lookFrom = (from: [number, number, number], up: [number, number, number]) =>
  new Quaternion().setFromRotationMatrix(
    new Matrix4().lookAt(new Vector3(...from), new Vector3(0, 0, 0), new Vector3(...up)),
  )

const posterior = lookFrom([0, -1, 0], [0, 0, 1])

export const VIEWS: Record<ViewName, { key: string; title: string; orientation: Quaternion; open: number }> = {
  anterior: { key: 'A', title: 'Anterior', orientation: lookFrom([0, 1, 0], [0, 0, 1]), open: 0 },
  superior: { key: 'S', title: 'Superior', orientation: lookFrom([0, 0, 1], [0, 1, 0]), open: 0 },
  caudal: { key: 'C', title: 'Caudal', orientation: posterior, open: 0 },
  ventral: { key: 'V', title: 'Ventral', orientation: lookFrom([0, 0, -1], [0, 1, 0]), open: 0 },
  medial: { key: 'M', title: 'Medial', orientation: posterior, open: -1 },
  outer: { key: 'O', title: 'Outer (lateral)', orientation: posterior, open: 1 },
}
export const VIEW_NAMES = Object.keys(VIEWS) as ViewName[]

/** Faces of the orientation cube: where each looks, which way is up on it, and the camera that faces it. */
export const CUBE_FACES = (
  [
    ['L', 'left', [-1, 0, 0], [0, 0, 1]],
    ['R', 'right', [1, 0, 0], [0, 0, 1]],
    ['A', 'front', [0, 1, 0], [0, 0, 1]],
    ['P', 'back', [0, -1, 0], [0, 0, 1]],
    ['S', 'top', [0, 0, 1], [0, 1, 0]],
    ['I', 'bottom', [0, 0, -1], [0, 1, 0]],
  ] as const
).map(([letter, word, normal, up]) => ({
  letter,
  word,
  normal: [...normal] as [number, number, number],
  up: [...up] as [number, number, number],
  orientation: lookFrom([...normal], [...up]),
}))

/** A flat map lies in its x–y plane and is looked at from above. */
export const FLAT_ORIENTATION = lookFrom([0, 0, 1], [0, 1, 0])

/** Turns the camera by angles (radians) about the picture's own vertical and horizontal axis: no poles, no lock. */
export function orbit(orientation: Quaternion, aboutVertical: number, aboutHorizontal: number): Quaternion {
  const turn = new Quaternion()
    .setFromAxisAngle(new Vector3(0, 1, 0), aboutVertical)
    .multiply(new Quaternion().setFromAxisAngle(new Vector3(1, 0, 0), aboutHorizontal))
  return orientation.clone().multiply(turn).normalize()
}

/** Between two views, t from 0 to 1. */
export function between(a: View, b: View, t: number): View {
  return {
    orientation: a.orientation.clone().slerp(b.orientation, t),
    target: a.target.clone().lerp(b.target, t),
    height: a.height * (b.height / a.height) ** t,
    open: a.open + (b.open - a.open) * t,
  }
}

export const copyView = (view: View): View => between(view, view, 0)

/** Weights of the four stations for a slider position; missing stations are bridged. Sums to 1. */
export function stationWeights(morph: number, available: readonly boolean[]): [number, number, number, number] {
  const weights: [number, number, number, number] = [0, 0, 0, 0]
  const stations = available.flatMap((has, i) => (has ? [i] : []))
  if (stations.length === 0) return weights
  const below = stations.filter((s) => s <= morph).at(-1) ?? stations[0]
  const above = stations.find((s) => s >= morph) ?? stations.at(-1)!
  if (below === above || above < below) weights[below] = 1
  else {
    weights[above] = (morph - below) / (above - below)
    weights[below] = 1 - weights[above]
  }
  return weights
}
