import { join } from 'node:path'
import * as h5wasm from 'h5wasm/node'
import { beforeAll, describe, expect, it } from 'vitest'
import type { NdArray } from '../../src-main/formats/array.ts'
import { encodeNifti } from '../../src-main/formats/nifti.ts'
import { encodeNpy } from '../../src-main/formats/npy.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import { createTar } from '../../src-main/formats/tar.ts'
import { openNewTrials } from '../../src-main/subjects/newTrials.ts'
import { recognisePaths } from '../../src-main/subjects/importer.ts'
import { readSubjectArray } from '../../src-main/subjects/subject.ts'
import { array, check, colours, figures, load, pixelsOf, png, put, rowsOf, temporaryFolder } from './support.ts'

describe('bdpy HDF5', () => {
  beforeAll(async () => {
    await h5wasm.ready
  })

  /** Columns: 3 voxels, label, run, data type. */
  const rows = [
    [1, 2, 3, 10, 1, 1],
    [4, 5, 6, 30, 1, 1],
    [7, 8, 9, 20, 2, 2],
    [0, 0, 0, 20, 2, 3],
    [3, 2, 1, 10, 2, 2],
  ]
  const columns: Record<string, (number | null)[]> = {
    VoxelData: [1, 1, 1, null, null, null],
    ROI_V1: [1, 0, 1, null, null, null],
    voxel_x: [-9, 9, 5, null, null, null],
    voxel_y: [1, 2, 3, null, null, null],
    voxel_z: [4, 5, 6, null, null, null],
    image_index: [null, null, null, 1, null, null],
    Run: [null, null, null, null, 1, null],
    DataType: [null, null, null, null, null, 1],
  }

  function write(folder: string, names: Record<string, string> = {}): string {
    const path = join(folder, 'Subject1.h5')
    const file = new h5wasm.File(path, 'w')
    file.create_dataset({ name: 'dataset', data: Float64Array.from(rows.flat()), shape: [5, 6] })
    const meta = file.create_group('metadata')
    meta.create_dataset({ name: 'key', data: Object.keys(columns) })
    const values = Object.values(columns).flatMap((column) => column.map((x) => x ?? NaN))
    meta.create_dataset({ name: 'value', data: Float64Array.from(values), shape: [8, 6] })
    const map = file.create_group('vmap').create_group('image_index')
    for (const [label, name] of Object.entries(names)) map.create_dataset({ name: label, data: [name] })
    file.close()
    return path
  }

  it('takes voxels, ROIs and positions by metadata, pictures by the names of a value map; imagery is left out', async () => {
    const folder = temporaryFolder()
    const path = write(folder, { 10: 'house', 20: 'face.png', 30: 'tree' })
    for (const [i, name] of ['house', 'face', 'tree'].entries())
      put(join(folder, 'pictures', `${name}.png`), await png(colours(i)))
    const { subject, manifest, dir } = await load([folder])
    expect(manifest).toMatchObject({
      id: 'Subject1',
      layout: 'bdpy',
      trialCount: 4,
      voxelCount: 3,
      trainTrials: 2,
      testTrials: 2,
    })
    expect(rowsOf(subject)).toEqual([rows[0], rows[1], rows[2], rows[4]].map((r) => r.slice(0, 3)))
    expect([...subject.trials.stimulus].map((s) => subject.stimuli.ids[s])).toEqual(['house', 'tree', 'face', 'house'])
    expect([...subject.trials.part]).toEqual([0, 0, 1, 1])
    expect([...subject.trials.run]).toEqual([1, 1, 2, 2])
    expect(pixelsOf(subject, subject.stimuli.ids.indexOf('tree'))).toEqual([...colours(2)])
    expect(manifest.rois).toEqual([{ name: 'V1', voxels: 2 }])
    expect([...readSubjectArray(dir, 'positions.npy')!.data].slice(0, 3)).toEqual([-9, 1, 4])
    expect(check(manifest.checks, 'bdpy.samples')).toMatchObject({
      ok: false,
      found: '4 with a known picture (by image_index)',
    })
    expect(manifest.sources.map((source) => source.path)).toContain(path)
  })

  it('takes pictures from a mapped array, too', async () => {
    const folder = temporaryFolder()
    write(folder)
    put(
      join(folder, 'stimuli.npy'),
      encodeNpy(array('uint8', [31, 8, 8, 3], Array.from({ length: 31 }, (_, i) => [...colours(i)]).flat())),
    )
    const { subject } = await load([folder], ['stimuli=stimuli'])
    expect(pixelsOf(subject, subject.stimuli.ids.indexOf('20'))).toEqual([...colours(20)])
  })

  it('without pictures it says what is missing', async () => {
    const folder = temporaryFolder()
    const path = write(folder)
    await expect(load([path])).rejects.toThrow(
      /expected pictures named after the image_index of the trials, found 0 image files/,
    )
  })
})

describe('trial-wise NIfTI', () => {
  const shape = [2, 2, 2] as const
  const affine = [
    [3, 0, 0, -3],
    [0, 3, 0, 0],
    [0, 0, 3, 0],
    [0, 0, 0, 1],
  ]
  const volumes = Array.from({ length: 4 }, (_, t) => Float32Array.from({ length: 8 }, (_, i) => t + i / 10))
  const mask = encodeNifti({
    dtype: 'uint8',
    volumeShape: shape,
    volumes: [Uint8Array.of(0, 1, 0, 0, 0, 1, 1, 0)],
    affine,
  })
  const events = (extra: (t: number) => string) =>
    ['onset\tstim_file\trun\tpart' + (extra(0) ? '\tbeta_file' : '')]
      .concat(
        [0, 1, 0, 2].map((s, t) => `${t * 4}\tpics/p${s}.png\t${1 + (t >> 1)}\t${t < 3 ? 'train' : 'test'}${extra(t)}`),
        extra(0) ? [] : ['99\tn/a\t2\ttrain'],
      )
      .join('\n') + '\n'

  async function pictures(folder: string) {
    for (const i of [0, 1, 2]) put(join(folder, 'pics', `p${i}.png`), await png(colours(i)))
  }
  function expectStudy({ subject, manifest }: Awaited<ReturnType<typeof load>>) {
    expect(manifest).toMatchObject({
      layout: 'nifti-trials',
      trialCount: 4,
      voxelCount: 3,
      stimulusCount: 3,
      runCount: 2,
    })
    expect(rowsOf(subject)).toEqual(volumes.map((volume) => [volume[1], volume[5], volume[6]]))
    expect([...subject.trials.part]).toEqual([0, 0, 0, 1])
    expect([...subject.trials.stimulus].map((s) => subject.stimuli.ids[s])).toEqual(
      [0, 1, 0, 2].map((s) => `pics/p${s}.png`),
    )
    expect(pixelsOf(subject, 2)).toEqual([...colours(2)])
    expect(check(manifest.checks, 'geometry.hemispheres').found).toBe('1 left, 2 right')
  }

  it('one 4-D file, events with rows that show nothing', async () => {
    const folder = temporaryFolder()
    put(join(folder, 'betas.nii'), encodeNifti({ dtype: 'float32', volumeShape: shape, volumes, affine }))
    put(join(folder, 'brain.nii'), mask)
    put(
      join(folder, 'events.tsv'),
      events(() => ''),
    )
    await pictures(folder)
    const loaded = await load([folder])
    expectStudy(loaded)
    expect(check(loaded.manifest.checks, 'nifti.events').found).toBe(
      '4 rows of events.tsv (stim_file), the 4 volumes of betas.nii',
    )
    expect(check(loaded.manifest.checks, 'nifti.mask').found).toBe('3 of 2 x 2 x 2, above zero in any of brain.nii')
  })

  it('one file per trial, named by the events', async () => {
    const folder = temporaryFolder()
    volumes.forEach((volume, t) =>
      put(
        join(folder, `trial-${9 - t}.nii.gz`),
        encodeNifti({ dtype: 'float32', volumeShape: shape, volumes: [volume], affine }, { gzip: true }),
      ),
    )
    put(join(folder, 'mask.nii'), mask)
    put(
      join(folder, 'events.tsv'),
      events((t) => `\ttrial-${9 - t}.nii.gz`),
    )
    await pictures(folder)
    expectStudy(await load([folder]))
  })

  it('without a mask or with a missing picture it says so', async () => {
    const folder = temporaryFolder()
    put(join(folder, 'betas.nii'), encodeNifti({ dtype: 'float32', volumeShape: shape, volumes, affine }))
    put(
      join(folder, 'events.tsv'),
      events(() => ''),
    )
    await expect(load([folder])).rejects.toThrow(/mask: expected a 3-D NIfTI of 2 x 2 x 2 .* found none/)
    put(join(folder, 'mask.nii'), mask)
    await expect(load([folder])).rejects.toThrow(/stim_file: expected an image file called pics\/p0.png/)
  })
})

describe('arrays with a mapping', () => {
  const side = 6
  const shapes = figures(3, side)
  const betas = Array.from({ length: 20 }, (_, i) => i - 7)

  it('train and test arrays from several files', async () => {
    const folder = temporaryFolder()
    put(
      join(folder, 'data.safetensors'),
      encodeSafetensors({
        a: array('float32', [3, 4], betas.slice(0, 12)),
        b: array('float32', [2, 4], betas.slice(12)),
      }),
    )
    const pictures = (rows: number[]): NdArray =>
      array(
        'float32',
        [rows.length, side * side],
        rows.flatMap((i) => shapes[i]),
      )
    put(join(folder, 'seen.npy'), encodeNpy(pictures([0, 1, 0])))
    put(join(folder, 'test.npy'), encodeNpy(pictures([2, 2])))
    put(join(folder, 'run.npy'), encodeNpy(array('int16', [5], [1, 1, 2, 3, 3])))
    const { subject, manifest } = await load(
      [folder],
      ['voxels.train=a', 'voxels.test=data.safetensors:b', 'stimuli.train=seen', 'stimuli.test=test.npy', 'run=run'],
    )
    expect(manifest).toMatchObject({ layout: 'mapped', trialCount: 5, stimulusCount: 3, trainTrials: 3 })
    expect(rowsOf(subject).flat()).toEqual(betas)
    expect([...subject.trials.stimulus]).toEqual([0, 1, 0, 2, 2])
    expect([...subject.trials.run]).toEqual([1, 1, 2, 3, 3])
    expect(pixelsOf(subject, 1)).toEqual(shapes[1])
  })

  it('each picture once with ids; ids that count from 1 are noticed', async () => {
    const folder = temporaryFolder()
    put(join(folder, 'x.npy'), encodeNpy(array('float64', [5, 4], betas)))
    put(join(folder, 'pictures.npy'), encodeNpy(array('uint8', [3, side, side], shapes.flat())))
    put(join(folder, 'which.npy'), encodeNpy(array('int64', [5], [3n, 1n, 2n, 2n, 1n] as never)))
    const { subject, manifest } = await load([folder], ['voxels=x', 'stimuli=pictures', 'ids=which'])
    expect([...subject.trials.stimulus]).toEqual([2, 0, 1, 1, 0])
    expect(check(manifest.checks, 'layout.mapping').detail).toMatch(/count from 1/)
    expect(manifest.defaultSplit).toBe('leave-one-stimulus-out')
  })

  it.each([
    [
      ['voxels=nothing', 'stimuli=pictures'],
      /--map …=nothing: expected the name of one array in these files, found only/,
    ],
    [['voxels=x'], /--map: expected voxels and stimuli, found voxels/],
    [['voxels=x', 'stimuli=pictures'], /pictures: expected 5 pictures, one per trial, found 3\. .*--map ids=NAME/],
    [['voxels=pictures', 'stimuli=pictures'], /pictures: expected a matrix \(trials, voxels\)/],
    [['voxel=x'], /--map: expected KEY=NAME .* found 'voxel=x'/],
  ])('%j is refused', async (map, message) => {
    const folder = temporaryFolder()
    put(join(folder, 'x.npy'), encodeNpy(array('float64', [5, 4], betas)))
    put(join(folder, 'pictures.npy'), encodeNpy(array('uint8', [3, side, side], shapes.flat())))
    await expect((async () => load([folder], map))()).rejects.toThrow(message)
  })
})

it('unknown files are described, so that they can be mapped', async () => {
  const folder = temporaryFolder()
  put(join(folder, 'x.npy'), encodeNpy(array('float64', [5, 4], Array(20).fill(0))))
  put(join(folder, 'notes.txt'), 'nothing')
  await expect(recognisePaths([folder], { map: {} })).rejects.toThrow(
    /found x.npy:x float64 \[5,4\]\. Name its arrays: --map/,
  )
  await expect(recognisePaths([join(folder, 'none')], { map: {} })).rejects.toThrow(/found nothing at this path/)
})

describe('new trials to decode', () => {
  const x = array('float64', [3, 4], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])

  it('the only matrix with the voxels of the decoder, or the one mapped', async () => {
    const folder = temporaryFolder()
    put(join(folder, 'new.npy'), encodeNpy(x))
    put(join(folder, 'other.npy'), encodeNpy(array('float64', [4, 3], [...x.data].map(Number))))
    const trials = await openNewTrials([folder], {}, 4)
    expect(trials).toMatchObject({ count: 3, source: 'new of new.npy' })
    expect([...(await trials.read(1, 3))]).toEqual([5, 6, 7, 8, 9, 10, 11, 12])
    trials.close()
    put(join(folder, 'more.npy'), encodeNpy(x))
    await expect(openNewTrials([folder], {}, 4)).rejects.toThrow(/found more \[3,4\], new \[3,4\]\. Say which/)
    const chosen = await openNewTrials([folder], { voxels: 'more' }, 4)
    expect(chosen.source).toBe('more of more.npy')
    chosen.close()
    await expect(openNewTrials([folder], { voxels: 'other' }, 4)).rejects.toThrow(/\(trials, 4\).* found other \[4,3\]/)
  })

  it('all trials of a dataset in a known layout, if its voxels are the decoder’s', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'some.tar')
    const tar = createTar(path)
    await tar.add('a.png', await png(colours(1)))
    await tar.add('a.nsdgeneral.npy', encodeNpy(x))
    await tar.close()
    const trials = await openNewTrials([path], {}, 4)
    expect(trials.count).toBe(3)
    expect([...(await trials.read(0, 1))]).toEqual([1, 2, 3, 4])
    trials.close()
    await expect(openNewTrials([path], {}, 5)).rejects.toThrow(
      /expected 5 voxels, as the decoder was trained on, found 4 voxels/,
    )
  })
})
