import { MindEyeError } from '../base/errors.ts'
import { readSubjectArray, type Subject, type SubjectManifest } from './subject.ts'
import type { VoxelStatistics } from './voxelStatistics.ts'

/** A map of one number per voxel that a view can ask for. */
export interface VoxelMapOffer {
  id: string
  title: string
  unit: string
  /** Has a meaning on both sides of 0. */
  signed: boolean
  /** What must be chosen before it can be drawn. */
  needs?: 'trial' | 'run' | 'roi'
}

export interface VoxelValues {
  /** (V), NaN where missing. */
  values: Float32Array
  /** Trials, folds or voxels that each number is of. */
  n: number
  /** Which ones, in words. */
  detail: string
}

/** NSD's betas are known to be percent signal change; others are in units of their own. */
const unitOf = ({ layout }: SubjectManifest): string => (layout === 'nsd' ? '%' : 'beta')

/** The maps that a subject has, in the order of a menu. */
export function offerMaps(manifest: SubjectManifest): VoxelMapOffer[] {
  const unit = unitOf(manifest)
  return [
    { id: 'trial', title: 'Betas of the trial', unit: 'z', signed: true, needs: 'trial' },
    { id: 'image', title: 'Betas of the image, mean of its repeats', unit: 'z', signed: true, needs: 'trial' },
    { id: 'raw-trial', title: 'Betas of the trial, as imported', unit, signed: true, needs: 'trial' },
    { id: 'mean', title: 'Mean betas', unit, signed: true },
    ...(manifest.noiseCeiling
      ? [{ id: 'noise-ceiling', title: 'Noise ceiling', unit: 'share of variance', signed: false }]
      : []),
    { id: 'weights', title: 'Decoder weights', unit: 'L2 norm', signed: false, needs: 'run' },
    ...(manifest.rois.length
      ? [
          { id: 'roi', title: 'ROI', unit: 'member', signed: false, needs: 'roi' as const },
          { id: 'rois', title: 'ROIs that hold the voxel', unit: 'ROIs', signed: false },
        ]
      : []),
  ]
}

/** Betas of one trial, z-scored over all trials of the subject or as they were imported; constant voxels are missing in a z-score. */
export function trialMap(subject: Subject, trial: number, statistics?: VoxelStatistics): VoxelValues {
  const values = subject.readVoxels([trial])
  if (statistics) zScore(values, statistics)
  return { values, n: 1, detail: `trial ${trial + 1} of ${subject.trials.count}, ${imageOf(subject, trial)}` }
}

/** Mean over all trials that showed the trial's image, each z-scored over all trials of the subject. */
export function imageMap(subject: Subject, trial: number, statistics: VoxelStatistics): VoxelValues {
  const { stimulus } = subject.trials
  const rows = [...stimulus.keys()].filter((row) => stimulus[row] === stimulus[trial])
  const block = subject.readVoxels(rows)
  const V = subject.manifest.voxelCount
  const values = new Float32Array(V)
  for (let i = 0; i < block.length; i++) values[i % V] += block[i] / rows.length
  zScore(values, statistics)
  return { values, n: rows.length, detail: `mean of ${rows.length} trials, ${imageOf(subject, trial)}` }
}

const imageOf = ({ trials, stimuli }: Subject, trial: number): string => `image ${stimuli.ids[trials.stimulus[trial]]}`

function zScore(values: Float32Array, { mean, sd }: VoxelStatistics): void {
  for (let v = 0; v < values.length; v++) values[v] = sd[v] > 0 ? (values[v] - mean[v]) / sd[v] : NaN
}

/** The voxels of a ROI as 1, the others as 0; without a name, how many ROIs hold each voxel. */
export function roiMap(folder: string, { rois, voxelCount: V }: SubjectManifest, name?: string): VoxelValues {
  const masks = readSubjectArray(folder, 'rois.npy')?.data as Uint8Array | undefined
  const index = name === undefined ? -1 : rois.findIndex((roi) => roi.name === name)
  if (!masks || (name !== undefined && index < 0))
    throw new MindEyeError({
      kind: 'input',
      where: 'roi',
      expected: rois.length ? `one of ${rois.map((roi) => roi.name).join(', ')}` : 'a subject with ROIs',
      found: name === undefined ? 'none' : `'${name}'`,
    })
  const values = new Float32Array(V)
  for (let r = 0; r < rois.length; r++)
    if (index < 0 || r === index) for (let v = 0; v < V; v++) values[v] += masks[r * V + v]
  const held = values.reduce((sum, value) => sum + (value ? 1 : 0), 0)
  return {
    values,
    n: held,
    detail: `${held} of ${V} voxels${name === undefined ? `, ${rois.length} ROIs` : ` in ${name}`}`,
  }
}

/** The noise ceiling from repeats; throws a state error for a subject without any. */
export function ceilingMap(folder: string, { noiseCeiling, id }: SubjectManifest): VoxelValues {
  const values = readSubjectArray(folder, 'noiseCeiling.npy')?.data as Float32Array | undefined
  if (!values || !noiseCeiling)
    throw new MindEyeError({
      kind: 'state',
      where: id,
      expected: 'images that were shown more than once',
      found: 'none',
      fix: 'Without repeats there is no noise ceiling.',
    })
  const { stimuliWithRepeats: n, repeats } = noiseCeiling
  return { values, n, detail: `mean of ${Number(repeats.toFixed(2))} repeats, ${n} images` }
}
