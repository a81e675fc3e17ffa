/**
 * The order in which voxels without places are laid out: by the first ROI that holds them, then as in the file, so that ROIs are blocks and
 * a voxel stays where it is while maps and trials change.
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
  // The smallest set that holds a voxel says most about it; those that hold most of the brain come last.
  const bySize = sizes.map((_, r) => r).sort((a, b) => sizes[a] - sizes[b])
  const groupOf = order.map((v) => {
    const roi = bySize.find((r) => masks[r * voxels + v] !== 0)
    return roi ?? rois
  })
  return order.sort((a, b) => groupOf[a] - groupOf[b] || a - b)
}
