import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { writeHdf5 } from '../../formats/hdf5.ts'
import { encodeNpy } from '../../formats/npy.ts'
import { sessionRange, trialsByColumn } from './design.ts'
import { zScoreSessions } from './responses.ts'
import { writeImages, writeTar } from './writeCommon.ts'
import type { LayoutJob } from './writeCommon.ts'

/** Columns of a behaviour row; missing values are -1. */
const behaviourColumns = 17
const neighbours = 15

/**
 * MindEye2's files: z-scored betas (trials, V) in one HDF5, the image id of every trial, and tars of behaviour rows that tell
 * which trial belongs to train and test. `test` and `new_test` hold the same trials here: all sessions are there from the start.
 */
export async function writeMindEye2(job: LayoutJob): Promise<void> {
  const { experiment, subject, folder, options } = job
  const { design } = experiment
  const V = subject.voxels.length
  writeHdf5(join(folder, `betas_all_${subject.id}_fp32_renorm.hdf5`), {
    betas: { dtype: 'float32', shape: [design.trialCount, V], data: zScoreSessions(design, subject.betas, V) },
  })
  const shown = Object.fromEntries(
    experiment.imageIds.map((ids, s) => {
      const data = BigInt64Array.from(design.column, (column) => BigInt(ids[column]))
      return [`subj${String(s + 1).padStart(2, '0')}`, { dtype: 'int64' as const, shape: [design.trialCount], data }]
    }),
  )
  writeHdf5(join(folder, 'COCO_73k_subj_indices.hdf5'), shown)

  const rows = behaviour(job)
  const earlier = trialsByColumn(design)
  const write = (path: string[], trials: number[]): Promise<void> =>
    writeTar(join(folder, 'wds', subject.id, ...path), async (tar) => {
      for (const [i, t] of trials.entries()) {
        const key = `sample${String(i).padStart(9, '0')}`
        const olds = earlier[design.column[t]].filter((other) => other < t)
        const past = around(t, -neighbours, design.trialCount)
        const future = around(t, neighbours, design.trialCount)
        await tar.add(`${key}.behav.npy`, behaviourArray(rows, [t], 1))
        await tar.add(`${key}.past_behav.npy`, behaviourArray(rows, past, neighbours))
        await tar.add(`${key}.future_behav.npy`, behaviourArray(rows, future, neighbours))
        await tar.add(`${key}.olds_behav.npy`, behaviourArray(rows, olds, 3))
      }
    })
  for (const part of ['train', 'test', 'new_test'])
    mkdirSync(join(folder, 'wds', subject.id, part), { recursive: true })
  const test: number[] = []
  for (let s = 0; s < design.sessionCount; s++) {
    options.signal.throwIfAborted()
    options.progress({ phase: `${subject.id}: sessions`, done: s, total: design.sessionCount })
    const train: number[] = []
    const { start, stop } = sessionRange(design, s)
    for (let t = start; t < stop; t++) (design.column[t] < design.shared ? test : train).push(t)
    await write(['train', `${s}.tar`], train)
  }
  for (const part of ['test', 'new_test']) await write([part, '0.tar'], test)
}

/** Trials before (`count` negative) or after `t`, nearest first, within 0..total-1. */
function around(t: number, count: number, total: number): number[] {
  return Array.from({ length: Math.abs(count) }, (_, i) => t + Math.sign(count) * (i + 1)).filter(
    (o) => o >= 0 && o < total,
  )
}

/** The behaviour rows of all trials: image, subject, session, run, trial (from 1), global trial (from 0), ..., old, ..., shared. */
function behaviour({ experiment, subject }: LayoutJob): Float64Array[] {
  const { design, imageIds } = experiment
  const seen = new Set<number>()
  return Array.from(design.column, (column, t) => {
    const row = new Float64Array(behaviourColumns).fill(-1)
    row.set([
      imageIds[subject.number - 1][column],
      subject.number,
      design.session[t] + 1,
      design.run[t] + 1,
      design.trialInRun[t] + 1,
      t,
    ])
    row[7] = Number(seen.has(column))
    row[16] = Number(column < design.shared)
    seen.add(column)
    return row
  })
}

function behaviourArray(rows: Float64Array[], trials: number[], count: number): Uint8Array {
  const data = new Float64Array(count * behaviourColumns).fill(-1)
  trials.forEach((t, i) => data.set(rows[t], i * behaviourColumns))
  return encodeNpy({ dtype: 'float64', shape: [count, behaviourColumns], data })
}

/** File of all subjects' images. */
export const mindEye2Images = 'coco_images_224_float16.hdf5'

/** `images` (images, 3, side, side) float16 in [0, 1], by image id. */
export async function writeMindEye2Images(job: LayoutJob): Promise<void> {
  const { experiment, folder, imageSize } = job
  const shape = [experiment.scenes.length, 3, imageSize, imageSize]
  const plane = imageSize * imageSize
  const halves = new Uint16Array(Float16Array.from({ length: 256 }, (_, value) => value / 255).buffer)
  const bits = new Uint16Array(3 * plane)
  await writeImages(job, join(folder, mindEye2Images), { name: 'images', dtype: 'float16', shape }, (pixels) => {
    for (let c = 0; c < 3; c++) for (let i = 0; i < plane; i++) bits[c * plane + i] = halves[pixels[i * 3 + c]]
    return new Float16Array(bits.buffer)
  })
}
