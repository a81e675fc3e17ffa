import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TypedArray } from '../../formats/array.ts'
import { createHdf5 } from '../../formats/hdf5.ts'
import type { Hdf5Dataset } from '../../formats/hdf5.ts'
import { encodeNpy } from '../../formats/npy.ts'
import { createTar } from '../../formats/tar.ts'
import type { TarWriter } from '../../formats/tar.ts'
import { encodeNifti } from '../../formats/nifti.ts'
import type { RunOptions } from '../../base/progress.ts'
import { roiColour } from '../roiColours.ts'
import { areaNames } from './areas.ts'
import * as constants from './constants.ts'
import type { Experiment, SimulatedSubject } from './experiment.ts'
import { kinds } from './kinds.ts'
import type { Grid, Voxel } from './voxels.ts'

/** What a layout's writer is given. All files go below `folder`, which exists and is empty. */
export interface LayoutJob {
  experiment: Experiment
  subject: SimulatedSubject
  folder: string
  imageSize: number
  /** Level of the icosphere that the cortex is drawn on. */
  cortexLevel: number
  options: RunOptions
}

/** Pixels of the images `ids` in turn, (imageSize, imageSize, 3) each; reports progress and heeds the abort signal. */
export async function* paintImages(job: LayoutJob, ids: ArrayLike<number>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { experiment, imageSize, options, subject } = job
  for (let i = 0; i < ids.length; i++) {
    options.signal.throwIfAborted()
    if (i % 20 === 0) options.progress({ phase: `${subject.id}: images`, done: i, total: ids.length })
    yield (await experiment.painter.paint(experiment.scenes[ids[i]], imageSize)).data
  }
}

/** Writes a tar; it is closed also when `fill` fails, so that no open file stays behind. */
export async function writeTar(path: string, fill: (tar: TarWriter) => Promise<void>): Promise<void> {
  const tar = createTar(path)
  try {
    await fill(tar)
  } finally {
    await tar.close()
  }
}

/** Writes the images of all subjects, by image id, as the one dataset of an HDF5 file. */
export async function writeImages(
  job: LayoutJob,
  path: string,
  dataset: Hdf5Dataset,
  encode: (pixels: Uint8Array<ArrayBuffer>) => TypedArray,
): Promise<void> {
  const file = createHdf5(path, [dataset])
  try {
    const ids = Array.from({ length: job.experiment.scenes.length }, (_, id) => id)
    for await (const pixels of paintImages(job, ids)) file.append(dataset.name, encode(pixels))
  } catch (error) {
    try {
      file.close()
    } catch {
      // It is incomplete, which it says; the first error is the one to tell.
    }
    throw error
  }
  file.close()
}

/** The affine as rows. */
export function affineRows({ affine }: Grid): number[][] {
  return [0, 4, 8, 12].map((start) => affine.slice(start, start + 4))
}

/** A label volume: for each voxel `label(voxel)`, elsewhere `outside`. */
function labelVolume(
  grid: Grid,
  voxels: readonly Voxel[],
  outside: number,
  label: (voxel: Voxel) => number,
): Int16Array<ArrayBuffer> {
  const volume = new Int16Array(grid.shape[0] * grid.shape[1] * grid.shape[2]).fill(outside)
  for (const voxel of voxels) volume[voxel.index] = label(voxel)
  return volume
}

const earlyAreas = ['V1v', 'V1d', 'V2v', 'V2d', 'V3v', 'V3d', 'hV4']
const streams = ['early', 'midventral', 'midlateral', 'midparietal', 'ventral', 'lateral', 'parietal']

/** ROI volumes by NSD's file names, labels numbered as there: -1 outside the cortex, 0 no area. */
export const roiFiles: {
  file: string
  labels: string[]
  name(place: Pick<Voxel, 'area' | 'quarter' | 'patch'>): string | undefined
}[] = [
  { file: 'nsdgeneral', labels: ['nsdgeneral'], name: () => 'nsdgeneral' },
  {
    file: 'prf-visualrois',
    labels: earlyAreas,
    name: ({ area, quarter }) => (quarter ? `${area}${quarter === 'dorsal' ? 'd' : 'v'}` : area),
  },
  {
    file: 'streams',
    labels: streams,
    name: ({ area }) => (area === 'hV4' ? 'midventral' : area === 'ventral' || area === 'lateral' ? area : 'early'),
  },
  {
    file: 'floc-faces',
    labels: ['OFA', 'FFA-1', 'FFA-2', 'mTL-faces', 'aTL-faces'],
    name: (v) => (v.patch === 'FFA' ? 'FFA-1' : ''),
  },
  { file: 'floc-bodies', labels: ['EBA', 'FBA-1', 'FBA-2', 'mTL-bodies'], name: ({ patch }) => patch },
  { file: 'floc-places', labels: ['OPA', 'PPA', 'RSC'], name: ({ patch }) => patch },
]

/**
 * ROI volumes and their colour tables where NSD keeps them. The webdataset and HDF5 layouts have none of their own, so they
 * get the same folder beside them.
 */
export function writeRois({ subject, folder }: LayoutJob): void {
  const { grid, voxels, id } = subject
  const rois = join(folder, 'nsddata', 'ppdata', id, 'func1pt8mm', 'roi')
  const tables = join(folder, 'nsddata', 'freesurfer', id, 'label')
  for (const path of [rois, tables]) mkdirSync(path, { recursive: true })
  for (const { file, labels, name } of roiFiles) {
    const volume = labelVolume(grid, voxels, -1, (voxel) => labels.indexOf(name(voxel) ?? '') + 1)
    const bytes = encodeNifti(
      { dtype: 'int16', volumeShape: grid.shape, volumes: [volume], affine: affineRows(grid), description: file },
      { gzip: true },
    )
    writeFileSync(join(rois, `${file}.nii.gz`), bytes)
    const table = ['0 Unknown 0 0 0 0', ...labels.map((label, i) => `${i + 1} ${label} ${roiColour(i).join(' ')} 0`)]
    writeFileSync(join(tables, `${file}.mgz.ctab`), `${table.join('\n')}\n`)
  }
}

/** What only a simulation can know, in `truth/`: ceilings, receptive fields, areas, the scenes behind the images. */
export function writeTruth({ experiment, subject, folder }: LayoutJob): void {
  const truth = join(folder, 'truth')
  mkdirSync(truth, { recursive: true })
  const { voxels, ceilings } = subject
  const V = voxels.length
  const save = (name: string, columns: number, data: Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>): void =>
    writeFileSync(
      join(truth, `${name}.npy`),
      encodeNpy({
        dtype: data instanceof Uint8Array ? 'uint8' : 'float32',
        shape: columns > 1 ? [V, columns] : [V],
        data,
      }),
    )
  save('noise_ceiling', 1, ceilings)
  save('positions', 3, Float32Array.from(voxels.flatMap(({ position }) => position)))
  save('receptive_fields', 3, Float32Array.from(voxels.flatMap(({ field }) => [field.x, field.y, field.sd])))
  save(
    'area',
    1,
    Uint8Array.from(voxels, ({ area }) => areaNames.indexOf(area)),
  )
  const { seed, design, imageIds, scenes } = experiment
  const facts = {
    simulated: true,
    seed,
    subject: subject.id,
    voxels: V,
    areas: areaNames,
    sharedImages: design.shared,
    ownImages: design.own,
    sessions: design.sessionCount,
    trials: design.trialCount,
    constants,
  }
  writeFileSync(join(truth, 'simulation.json'), `${JSON.stringify(facts, null, 1)}\n`)
  const lines = [...imageIds[subject.number - 1]].map((id, column) => {
    const { objects, background } = scenes[id]
    const described = objects.map(({ kind, ...place }) => ({ kind: kinds[kind], ...place }))
    return JSON.stringify({ image: id, shared: column < design.shared, background, objects: described })
  })
  writeFileSync(join(truth, 'scenes.jsonl'), `${lines.join('\n')}\n`)
}
