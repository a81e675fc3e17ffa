/** The camera: orthographic, no poles. Holds the current view, fits it to what is shown, and moves in 200 ms. */
import { OrthographicCamera, Quaternion, Vector3 } from 'three'
import { between, copyView, orbit, type View } from './views.ts'

const MOVE_MS = 200
const MARGIN = 1.08
const DEPTH = 4000 // mm before and behind the target that are drawn

export class CameraRig {
  view: View = { orientation: new Quaternion(), target: new Vector3(), height: 200, open: 0 }
  private move: { from: View; to: View; start: number } | undefined

  /** Where the camera is going, or stands. */
  get goal(): View {
    return this.move?.to ?? this.view
  }

  /** Goes there, at once or in 200 ms. */
  go(to: View, animate: boolean, now = performance.now()) {
    if (animate) this.move = { from: copyView(this.view), to, start: now }
    else {
      this.view = to
      this.move = undefined
    }
  }

  /** Advances a move; true while it lasts. */
  step(now: number): boolean {
    if (!this.move) return false
    const { from, to, start } = this.move
    const t = Math.min(1, Math.max(0, (now - start) / MOVE_MS))
    this.view = between(from, to, 1 - (1 - t) ** 3)
    if (t === 1) {
      this.view = copyView(to)
      this.move = undefined
    }
    return this.move !== undefined
  }

  /** By pixels of a drag, in a picture of that height; a drag over the whole height turns by half a circle. */
  rotate(dx: number, dy: number, pictureHeight: number) {
    this.move = undefined
    const angle = Math.PI / pictureHeight
    this.view = { ...this.view, orientation: orbit(this.view.orientation, -dx * angle, -dy * angle) }
  }

  pan(dx: number, dy: number, pictureHeight: number) {
    this.move = undefined
    const scale = this.view.height / pictureHeight
    const shift = new Vector3(-dx * scale, dy * scale, 0).applyQuaternion(this.view.orientation)
    this.view = { ...this.view, target: this.view.target.clone().add(shift) }
  }

  /** Zooms by a factor (> 1: closer) and keeps the point at (x, y), in pixels from the picture's centre, where it is. */
  zoom(factor: number, x: number, y: number, pictureHeight: number) {
    this.move = undefined
    const scale = (this.view.height / pictureHeight) * (1 - 1 / factor)
    const shift = new Vector3(x * scale, -y * scale, 0).applyQuaternion(this.view.orientation)
    const height = Math.min(2000, Math.max(4, this.view.height / factor))
    if (height !== this.view.height / factor) return
    this.view = { ...this.view, height, target: this.view.target.clone().add(shift) }
  }

  /** The camera of this view for a picture of that aspect (width / height). */
  camera(aspect: number, view = this.view): OrthographicCamera {
    const half = view.height / 2
    const camera = new OrthographicCamera(-half * aspect, half * aspect, half, -half, 0, 2 * DEPTH)
    camera.quaternion.copy(view.orientation)
    camera.position.copy(new Vector3(0, 0, DEPTH).applyQuaternion(view.orientation).add(view.target))
    camera.updateMatrixWorld()
    return camera
  }
}

/** Target and height at which all points fit a picture of that size (any unit), its insets left free. */
export function fit(
  points: Vector3[],
  orientation: Quaternion,
  { width, height }: { width: number; height: number },
  { right, bottom } = { right: 0, bottom: 0 },
): { target: Vector3; height: number } {
  if (points.length === 0) return { target: new Vector3(), height: 200 }
  const inverse = orientation.clone().invert()
  const min = new Vector3(Infinity, Infinity, Infinity)
  const max = new Vector3(-Infinity, -Infinity, -Infinity)
  for (const point of points) {
    const seen = point.clone().applyQuaternion(inverse)
    min.min(seen)
    max.max(seen)
  }
  // mm per unit of the picture
  const scale = MARGIN * Math.max((max.y - min.y) / (height - bottom), (max.x - min.x) / (width - right), 1e-3)
  const shift = new Vector3((right / 2) * scale, (-bottom / 2) * scale, 0)
  const target = min.add(max).multiplyScalar(0.5).add(shift).applyQuaternion(orientation)
  return { target, height: scale * height }
}
