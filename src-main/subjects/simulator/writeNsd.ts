import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { encodeMatlab5 } from '../../formats/matlab5.ts'
import { encodeNifti } from '../../formats/nifti.ts'
import { design as designConstants } from './constants.ts'
import { sessionRange } from './design.ts'
import { affineRows, writeImages } from './writeCommon.ts'
import type { LayoutJob } from './writeCommon.ts'

/** NSD stores percent signal change as int16 times this. */
const scale = 300
const { runs } = designConstants

/**
 * NSD's own folders: betas as 4-D int16 volumes by session, the experiment's design, the behaviour table, ROI volumes and,
 * where `stimuli` says, the images of all subjects (imgBrick, uint8).
 */
export async function writeNsd(job: LayoutJob): Promise<void> {
  const { experiment, subject, folder, options } = job
  const { design } = experiment
  const { grid, voxels, betas, id } = subject
  const V = voxels.length
  const betaFolder = join(folder, 'nsddata_betas', 'ppdata', id, 'func1pt8mm', 'betas_fithrf_GLMdenoise_RR')
  mkdirSync(betaFolder, { recursive: true })
  const size = grid.shape[0] * grid.shape[1] * grid.shape[2]
  for (let s = 0; s < design.sessionCount; s++) {
    options.signal.throwIfAborted()
    options.progress({ phase: `${id}: sessions`, done: s, total: design.sessionCount })
    const { start, stop } = sessionRange(design, s)
    const volumes = Array.from({ length: stop - start }, (_, t) => {
      const volume = new Int16Array(size)
      for (let v = 0; v < V; v++) volume[voxels[v].index] = clamp16(Math.round(betas[(start + t) * V + v] * scale))
      return volume
    })
    const bytes = encodeNifti(
      { dtype: 'int16', volumeShape: grid.shape, volumes, affine: affineRows(grid) },
      { gzip: true },
    )
    writeFileSync(join(betaFolder, `betas_session${String(s + 1).padStart(2, '0')}.nii.gz`), bytes)
  }
  writeDesign(job)
  writeResponses(job)
}

const clamp16 = (x: number): number => Math.min(32767, Math.max(-32768, x))

/** Where all subjects' images lie below a subject's folder. */
export const nsdStimuli = join('nsddata_stimuli', 'stimuli', 'nsd', 'nsd_stimuli.hdf5')

/** imgBrick (images, side, side, 3), by image id. */
export async function writeNsdStimuli(job: LayoutJob): Promise<void> {
  const { experiment, folder, imageSize } = job
  const path = join(folder, nsdStimuli)
  mkdirSync(dirname(path), { recursive: true })
  const shape = [experiment.scenes.length, imageSize, imageSize, 3]
  await writeImages(job, path, { name: 'imgBrick', dtype: 'uint8', shape }, (pixels) => pixels)
}

/**
 * Numbers count from 1 here, as MATLAB does: subjectim (subjects, columns) image ids, masterordering (1, trials) columns,
 * sharedix (1, shared) image ids; stimpattern (sessions, runs, slots) is 1 where a run's slot shows an image.
 */
function writeDesign({ experiment, folder }: LayoutJob): void {
  const { design, imageIds } = experiment
  const path = join(folder, 'nsddata', 'experiments', 'nsd', 'nsd_expdesign.mat')
  mkdirSync(dirname(path), { recursive: true })
  const matrix = (shape: number[], values: number[]) => ({
    dtype: 'float64' as const,
    shape,
    data: Float64Array.from(values),
  })
  const subjectim = imageIds.flatMap((ids) => [...ids].map((image) => image + 1))
  const sharedix = [...imageIds[0].subarray(0, design.shared)].map((image) => image + 1).sort((a, b) => a - b)
  const slots = 1 + design.trialInRun.reduce((a, b) => Math.max(a, b), 0)
  const pattern = new Array<number>(design.sessionCount * runs * slots).fill(0)
  design.session.forEach((s, t) => (pattern[(s * runs + design.run[t]) * slots + design.trialInRun[t]] = 1))
  const variables = {
    masterordering: matrix(
      [1, design.trialCount],
      Array.from(design.column, (c) => c + 1),
    ),
    sharedix: matrix([1, design.shared], sharedix),
    subjectim: matrix([imageIds.length, design.shared + design.own], subjectim),
    stimpattern: matrix([design.sessionCount, runs, slots], pattern),
  }
  writeFileSync(path, encodeMatlab5(variables))
}

/** NSD's table of trials, with the columns that say what was shown when. */
function writeResponses({ experiment, subject, folder }: LayoutJob): void {
  const { design, imageIds } = experiment
  const path = join(folder, 'nsddata', 'ppdata', subject.id, 'behav', 'responses.tsv')
  mkdirSync(dirname(path), { recursive: true })
  const lines = ['SUBJECT\tSESSION\tRUN\tTRIAL\t73KID\t10KID\tISOLD']
  const seen = new Set<number>()
  design.column.forEach((column, t) => {
    const place = [subject.number, design.session[t] + 1, design.run[t] + 1, design.trialInRun[t] + 1]
    lines.push([...place, imageIds[subject.number - 1][column] + 1, column + 1, Number(seen.has(column))].join('\t'))
    seen.add(column)
  })
  writeFileSync(path, `${lines.join('\n')}\n`)
}
