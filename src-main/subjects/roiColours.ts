/** Colours for named voxel sets that come without their own: twelve that can be told apart on grey, 0 to 255. */
const palette: readonly (readonly [number, number, number])[] = [
  [61, 155, 224],
  [240, 128, 60],
  [43, 179, 138],
  [217, 139, 181],
  [230, 190, 60],
  [120, 120, 220],
  [150, 200, 90],
  [90, 190, 210],
  [200, 90, 90],
  [170, 130, 90],
  [190, 150, 230],
  [140, 170, 160],
]

/** The colour of the n-th set. */
export const roiColour = (n: number): [number, number, number] =>
  [...palette[n % palette.length]] as [number, number, number]
