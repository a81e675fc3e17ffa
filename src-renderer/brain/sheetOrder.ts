/** A set that holds more of the voxels says little about them, and comes after the others. */
const LARGE = 0.25

/**
 * The order in which voxels without places are laid out: ROI by ROI, then as in the file, so that ROIs are blocks and a voxel stays where it
 * is while maps and trials change. A voxel of several ROIs counts to the smallest.
 *
 * @param masks (ROIs * voxels)
 */
export function sheetOrder(voxels: number, masks?: Uint8Array): Uint32Array {
  const order = Uint32Array.from({ length: voxels }, (_, v) => v)
  if (!masks) return order
  const rois = masks.length / voxels
  const sizes = Array.from({ length: rois }, (_, r) =>
    masks.subarray(r * voxels, (r + 1) * voxels).reduce((sum, member) => sum + (member ? 1 : 0), 0),
  )
  const bySize = sizes.map((_, r) => r).sort((a, b) => sizes[a] - sizes[b])
  const blockOf = order.map((v) => {
    const roi = bySize.find((r) => masks[r * voxels + v] !== 0)
    if (roi === undefined) return 2 * rois
    return sizes[roi] > LARGE * voxels ? rois + roi : roi
  })
  return order.sort((a, b) => blockOf[a] - blockOf[b] || a - b)
}
