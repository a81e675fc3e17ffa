/** Where the hemispheres stand: apart once they are inflated or flat, and opened like a book for lateral and medial views. */
import type { Box3 } from 'three'
import { Matrix4, Vector3 } from 'three'
import { SIDES, type Side } from './types.ts'

const GAP = 6 // mm between the hemispheres once they are apart

/**
 * Matrix of each hemisphere.
 *
 * @param bounds of the hemispheres that are shown, in their own space
 * @param apart 0 where they are anatomy (white, pial), 1 where each has a space of its own (inflated, flat)
 * @param open 1 turns both lateral sides to a camera behind them, -1 both medial sides
 */
export function placements(bounds: Partial<Record<Side, Box3>>, apart: number, open: number): Record<Side, Matrix4> {
  const place = (side: Side): Matrix4 => {
    const box = bounds[side]
    if (!box) return new Matrix4()
    const sign = side === 'left' ? -1 : 1
    const angle = (-sign * open * Math.PI) / 2
    const centre = box.getCenter(new Vector3())
    const half = box.getSize(new Vector3()).multiplyScalar(0.5)
    // How far the turned hemisphere reaches sideways from its centre.
    const reach = Math.abs(Math.cos(angle)) * half.x + Math.abs(Math.sin(angle)) * half.y
    const separate = new Vector3(bounds.left && bounds.right ? sign * (reach + GAP / 2) : 0, 0, centre.z)
    const turned = Math.max(apart, Math.abs(open))
    const to = centre.clone().lerp(separate, turned)
    return new Matrix4()
      .makeTranslation(to)
      .multiply(new Matrix4().makeRotationZ(angle))
      .multiply(new Matrix4().makeTranslation(centre.negate()))
  }
  return { left: place('left'), right: place('right') }
}

/** Corners of all placed hemispheres, to fit a camera around them. */
export function corners(bounds: Partial<Record<Side, Box3>>, placed: Record<Side, Matrix4>): Vector3[] {
  return SIDES.flatMap((side) => {
    const box = bounds[side]
    if (!box) return []
    return [0, 1, 2, 3, 4, 5, 6, 7].map((i) =>
      new Vector3(
        i & 1 ? box.max.x : box.min.x,
        i & 2 ? box.max.y : box.min.y,
        i & 4 ? box.max.z : box.min.z,
      ).applyMatrix4(placed[side]),
    )
  })
}
