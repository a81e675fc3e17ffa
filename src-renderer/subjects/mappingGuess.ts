import type { ProposedArray } from '../../src-main/subjects/proposals.ts'

/** Meaning of an array by its name: `voxels.train`, `stimuli`, …; the keys of a mapping. */
const roles: readonly { role: string; pattern: RegExp; axes: (shape: readonly number[]) => boolean }[] = [
  { role: 'run', pattern: /(^|[^a-z])runs?([^a-z]|$)|runtr|runte/i, axes: isVector },
  { role: 'session', pattern: /sess/i, axes: isVector },
  { role: 'ids', pattern: /ids?([^a-z]|$)|index|cond|stim(ulus)?_?(id|num|label)|label/i, axes: isVector },
  { role: 'stimuli', pattern: /stim|image|img|pict|pixel/i, axes: ({ length }) => length >= 2 && length <= 4 },
  { role: 'voxels', pattern: /fmri|beta|voxel|vox|bold|resp|brain/i, axes: ({ length }) => length === 2 },
]

const parts: readonly [string, RegExp][] = [
  ['.train', /tra?i?n|trn/i],
  ['.test', /te?st|val/i],
]

/** A vector, MATLAB's (n, 1) or (1, n) included. */
function isVector(shape: readonly number[]): boolean {
  return shape.filter((n) => n > 1).length <= 1
}

/** What names and shapes suggest, by the array's name; each key once. Only a suggestion: the user sees and changes it. */
export function guessMapping(arrays: readonly ProposedArray[]): Record<string, string> {
  const guess: Record<string, string> = {}
  const taken = new Set<string>()
  for (const { name, shape } of arrays) {
    const found = roles.find(({ pattern, axes }) => pattern.test(name) && axes(shape))
    if (!found) continue
    const key = found.role + (parts.find(([, pattern]) => pattern.test(name))?.[0] ?? '')
    if (taken.has(key)) continue
    taken.add(key)
    guess[name] = key
  }
  return guess
}

/** As `inspect` and `import` take it: `voxels.train=betas`. */
export const mappingItems = (keyOf: Readonly<Record<string, string>>): string[] =>
  Object.entries(keyOf)
    .filter(([, key]) => key)
    .map(([name, key]) => `${key}=${name}`)

/** What is still missing for an import, as a sentence; undefined when nothing is. */
export function mappingLack(keys: readonly string[]): string | undefined {
  const has = (role: string) => keys.some((key) => key === role || key.startsWith(`${role}.`))
  if (!has('voxels') && !has('stimuli')) return 'Say which array holds the voxels and which the pictures.'
  if (!has('voxels')) return 'Say which array holds the voxels.'
  if (!has('stimuli')) return 'Say which array holds the pictures.'
  const split = ['voxels', 'stimuli', 'ids', 'run', 'session'].find(
    (role) => keys.includes(role) && (keys.includes(`${role}.train`) || keys.includes(`${role}.test`)),
  )
  if (split) return `${split} is either one array, or one for train and one for test.`
  return undefined
}
