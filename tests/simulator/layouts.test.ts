import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import type { NdArray } from '../../src-main/formats/array.ts'
import { openHdf5 } from '../../src-main/formats/hdf5.ts'
import { decodeImage } from '../../src-main/formats/images.ts'
import { openMatlab5 } from '../../src-main/formats/matlab5.ts'
import { openNifti } from '../../src-main/formats/nifti.ts'
import { openNpy } from '../../src-main/formats/npy.ts'
import { openBytes, openFile } from '../../src-main/formats/source.ts'
import { openTar } from '../../src-main/formats/tar.ts'
import { openStudy } from '../../src-main/subjects/layouts/index.ts'
import { makeExperiment } from '../../src-main/subjects/simulator/experiment.ts'
import { simulate } from '../../src-main/subjects/simulator/simulate.ts'
import type { SimulatedLayout } from '../../src-main/subjects/simulator/simulate.ts'

const images = 24
const shared = 12
const trialCount = 3 * (images + shared)
const folder = mkdtempSync(join(tmpdir(), 'simulator-'))
const run = { signal: new AbortController().signal, progress: () => {} }
const make = (out: string, layout: SimulatedLayout, subjects = 1) =>
  simulate({ out: join(folder, out), subjects, images, layout, seed: 7, imageSize: 64 }, run)

beforeAll(async () => {
  await make('web', 'webdataset')
  await make('hdf5', 'hdf5', 2)
  await make('nsd', 'nsd')
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

const npy = (bytes: Uint8Array): NdArray => openNpy(openBytes(bytes, 'array.npy')).arrays[0].read()
const numbers = ({ data }: NdArray): number[] => Array.from(data as ArrayLike<number | bigint>, Number)
const hash = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

/** Samples of the tars below a folder: extension to bytes, by key. */
function samples(pattern: string): Map<string, Record<string, Uint8Array>> {
  const found = new Map<string, Record<string, Uint8Array>>()
  for (const path of globSync(pattern, { cwd: folder }).sort()) {
    const tar = openTar(openFile(join(folder, path)))
    for (const entry of tar.entries) {
      const [, key, extension] = /^([^.]*)\.(.*)$/.exec(entry.name) ?? []
      const id = `${path} ${key}`
      found.set(id, { ...found.get(id), [extension]: tar.read(entry) })
    }
    tar.close()
  }
  return found
}

test('NSD, HDF5 and webdataset hold the same trials, betas and images', async () => {
  // NSD: what was shown in each trial, and percent signal change under the mask
  const design = openMatlab5(openFile(join(folder, 'nsd/subj01/nsddata/experiments/nsd/nsd_expdesign.mat')))
  const variable = (name: string) => {
    const entry = design.arrays.find((array) => array.name === name)
    if (!entry) throw new Error(`no ${name}`)
    return numbers(entry.read())
  }
  const subjectim = variable('subjectim')
  const shown = variable('masterordering').map((column) => subjectim[column - 1] - 1)
  const sharedIds = new Set(variable('sharedix').map((id) => id - 1))
  expect(shown.length).toBe(trialCount)
  expect(sharedIds.size).toBe(shared)
  expect(variable('stimpattern').reduce((a, b) => a + b)).toBe(trialCount)

  const roi = (name: string) =>
    openNifti(openFile(join(folder, `nsd/subj01/nsddata/ppdata/subj01/func1pt8mm/roi/${name}.nii.gz`)))
  const mask = [...numbers(roi('nsdgeneral').readVolume(0)).entries()].filter(([, value]) => value > 0).map(([i]) => i)
  const V = mask.length
  const betas: number[][] = []
  const session: number[] = []
  const sessions = globSync('nsd/subj01/nsddata_betas/**/*.nii.gz', { cwd: folder }).sort()
  for (const [s, path] of sessions.entries()) {
    const file = openNifti(openFile(join(folder, path)))
    for (let t = 0; t < file.volumeCount; t++) {
      const volume = numbers(file.readVolume(t))
      betas.push(mask.map((i) => volume[i] / 300))
      session.push(s)
    }
  }
  expect(betas.length).toBe(trialCount)

  // z-scored per session by its own images, as the other layouts are
  const scored = betas.map((row) => row.slice())
  for (let s = 0; s < sessions.length; s++) {
    const own = betas.filter((_, t) => session[t] === s && !sharedIds.has(shown[t]))
    for (let v = 0; v < V; v++) {
      const mean = own.reduce((sum, row) => sum + row[v], 0) / own.length
      const sd = Math.sqrt(own.reduce((sum, row) => sum + (row[v] - mean) ** 2, 0) / own.length)
      for (let t = 0; t < trialCount; t++) if (session[t] === s) scored[t][v] = (betas[t][v] - mean) / sd
    }
  }

  // HDF5
  const h5 = await openHdf5(join(folder, 'hdf5/subj01/betas_all_subj01_fp32_renorm.hdf5'))
  const renorm = h5.array('betas').read()
  h5.close()
  expect(renorm.shape).toEqual([trialCount, V])
  let worst = 0
  for (let t = 0; t < trialCount; t++)
    for (let v = 0; v < V; v++) worst = Math.max(worst, Math.abs(Number(renorm.data[t * V + v]) - scored[t][v]))
  expect(worst).toBeLessThan(0.05) // the step of NSD's int16 storage
  const indices = await openHdf5(join(folder, 'hdf5/subj01/COCO_73k_subj_indices.hdf5'))
  // Two subjects were simulated there: ids differ, but the kinds of columns shown in turn do not.
  const shownHdf5 = numbers(indices.array('subj01').read())
  const shownSecond = numbers(indices.array('subj02').read())
  indices.close()
  expect(shownHdf5.map((id) => shownHdf5.indexOf(id))).toEqual(shown.map((id) => shown.indexOf(id)))
  const both = new Set(shownHdf5.filter((id) => shownSecond.includes(id)))
  expect(both.size).toBe(shared)

  // behaviour rows: which trial, session and image; train and test apart
  const train = [...samples('hdf5/subj01/wds/subj01/train/*.tar').values()].map((s) => numbers(npy(s['behav.npy'])))
  const test_ = [...samples('hdf5/subj01/wds/subj01/new_test/*.tar').values()].map((s) => numbers(npy(s['behav.npy'])))
  expect([train.length, test_.length]).toEqual([3 * images, 3 * shared])
  for (const row of [...train, ...test_]) {
    const t = row[5]
    expect([row[0], row[2]]).toEqual([shownHdf5[t], session[t] + 1])
    expect(row[16]).toBe(Number(both.has(row[0])))
  }
  expect(test_.every((row) => row[16] === 1) && train.every((row) => row[16] === 0)).toBe(true)

  // webdataset
  const brick = await openHdf5(join(folder, 'nsd/subj01/nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5'))
  const web = samples('web/subj01/webdataset_avg_split/*/*.tar')
  expect(web.size).toBe(images + shared)
  for (const [key, sample] of web) {
    const id = numbers(npy(sample['coco73k.npy']))[0]
    expect(key.includes('/test/')).toBe(sharedIds.has(id))
    const trials = numbers(npy(sample['trial.npy']))
    expect(trials.map((t) => shown[t])).toEqual([id, id, id])
    expect(numbers(npy(sample['num_uniques.npy']))).toEqual([3])
    const rows = npy(sample['nsdgeneral.npy'])
    expect([rows.dtype, ...rows.shape]).toEqual(['float16', 3, V])
    trials.forEach((t, r) => {
      for (let v = 0; v < V; v += 97)
        expect(Math.abs(Number(rows.data[r * V + v]) - Number(renorm.data[t * V + v]))).toBeLessThan(0.005)
    })
    const picture = await decodeImage(sample.png, key)
    expect([picture.width, picture.height, picture.channels]).toEqual([64, 64, 3])
    expect([...picture.data]).toEqual(numbers(brick.array('imgBrick').readRows(id, id + 1)))
  }
  brick.close()
  const metadata: unknown = JSON.parse(
    readFileSync(join(folder, 'web/subj01/webdataset_avg_split/metadata_subj01.json'), 'utf8'),
  )
  expect(metadata).toEqual({ totals: { train: images - 1, val: 1, test: shared } })

  // HDF5's pictures: planes of float16 in [0, 1]; the second subject has the same file
  const planes = await openHdf5(join(folder, 'hdf5/subj02/coco_images_224_float16.hdf5'))
  const plane = planes.array('images').readRows(shownHdf5[5], shownHdf5[5] + 1)
  planes.close()
  expect(plane.shape).toEqual([1, 3, 64, 64])
  const tarPicture = [...web.values()].find((s) => numbers(npy(s['coco73k.npy']))[0] === shown[5])
  const pixels = (await decodeImage(tarPicture?.png ?? new Uint8Array(), 'png')).data
  let difference = 0
  for (let i = 0; i < 64 * 64; i++)
    for (let c = 0; c < 3; c++)
      difference = Math.max(difference, Math.abs(Number(plane.data[c * 4096 + i]) * 255 - pixels[3 * i + c]))
  expect(difference).toBeLessThan(0.1)
})

test('the seed decides every byte, and another seed gives other images in another order', async () => {
  await make('again', 'webdataset')
  const files = globSync('**/*.*', { cwd: join(folder, 'web/subj01') })
  expect(files.length).toBeGreaterThan(15)
  for (const file of files)
    expect(hash(join(folder, 'again/subj01', file)), file).toBe(hash(join(folder, 'web/subj01', file)))
  const [one, other] = [7, 8].map((seed) => makeExperiment(seed, 1, images))
  expect(other.scenes).not.toEqual(one.scenes)
  expect(other.design.column).not.toEqual(one.design.column)
})

test('ROI volumes lie beside every layout and count as the truth does', () => {
  for (const layout of ['web', 'hdf5', 'nsd']) {
    const truth = numbers(npy(readFileSync(join(folder, layout, 'subj01/truth/area.npy'))))
    const read = (name: string): number[] => {
      const path = join(folder, layout, `subj01/nsddata/ppdata/subj01/func1pt8mm/roi/${name}.nii.gz`)
      return numbers(openNifti(openFile(path)).readVolume(0))
    }
    expect(read('nsdgeneral').filter((label) => label > 0).length).toBe(truth.length)
    const early = read('prf-visualrois')
    ;[[1, 2], [3, 4], [5, 6], [7]].forEach((labels, area) =>
      expect(early.filter((label) => labels.includes(label)).length).toBe(truth.filter((a) => a === area).length),
    ) // prettier-ignore
  }
})

test('every layout is recognised and opened by the door of real data, with voxels in mm and named ROIs', async () => {
  const ids = { web: 'mindeye-webdataset', hdf5: 'mindeye2-hdf5', nsd: 'nsd' }
  for (const [out, layout] of Object.entries(ids)) {
    const opened = await openStudy([join(folder, out, 'subj01')], {})
    try {
      const { study } = opened
      expect(opened.layout.id).toBe(layout)
      const truth = npy(readFileSync(join(folder, out, 'subj01/truth/positions.npy')))
      expect([study.name, study.voxelCount, study.trials.count]).toEqual(['subj01', truth.shape[0], trialCount])
      expect(study.trials.part.filter((part) => part === 1).length).toBe(3 * shared)
      numbers(truth).forEach((mm, i) => expect(study.positions?.[i]).toBeCloseTo(mm, 3))
      const names = study.rois.map(({ name }) => name)
      expect(names).toEqual(expect.arrayContaining(['V1v', 'V1d', 'hV4', 'ventral', 'lateral', 'FFA-1', 'PPA', 'EBA']))
    } finally {
      opened.close()
    }
  }
})

test('nothing is overwritten, and a stopped simulation leaves nothing', async () => {
  writeFileSync(join(folder, 'web', 'mine.txt'), 'mine')
  await expect(make('web', 'webdataset')).rejects.toThrow(MindEyeError)
  expect(readFileSync(join(folder, 'web', 'mine.txt'), 'utf8')).toBe('mine')

  const abort = new AbortController()
  const stopped = simulate(
    { out: join(folder, 'stopped'), subjects: 1, images, layout: 'webdataset', seed: 7, imageSize: 64 },
    { signal: abort.signal, progress: ({ phase }) => phase.includes('images') && abort.abort() },
  )
  await expect(stopped).rejects.toThrow()
  expect(existsSync(join(folder, 'stopped'))).toBe(false)
  expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([])
})
