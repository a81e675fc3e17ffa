import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as h5wasm from 'h5wasm/node'
import { beforeAll, describe, expect, it } from 'vitest'
import type { NdArray } from '../../src-main/formats/array.ts'
import { writeHdf5 } from '../../src-main/formats/hdf5.ts'
import { encodePng } from '../../src-main/formats/images.ts'
import { encodeMatlab5 } from '../../src-main/formats/matlab5.ts'
import { encodeNifti } from '../../src-main/formats/nifti.ts'
import { encodeNpy } from '../../src-main/formats/npy.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import { createTar } from '../../src-main/formats/tar.ts'
import { importPaths, recognisePaths } from '../../src-main/subjects/importer.ts'
import { parseMapping } from '../../src-main/subjects/mapping.ts'
import { openSubject, readSubjectArray, type Subject, type SubjectManifest } from '../../src-main/subjects/subject.ts'
import { array, check, figures, quietly, temporaryFolder } from './support.ts'

/** A colour picture that differs by `seed`: side x side x 3, row by row. */
const colours = (seed: number, side = 8): Uint8Array =>
  Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * 7 + seed * 41 + (i % 3) * 50) % 256)

const png = (pixels: Uint8Array, side = 8) => encodePng({ data: pixels, width: side, height: side, channels: 3 })

function put(path: string, bytes: Uint8Array | string): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bytes)
  return path
}

/** Imports and opens; throws when a check forbids it. */
async function load(
  paths: string[],
  map: string[] = [],
): Promise<{ subject: Subject; manifest: SubjectManifest; dir: string }> {
  const dir = join(temporaryFolder(), 'subject')
  const { manifest, checks } = await importPaths(paths, { map: parseMapping(map) }, dir, quietly())
  if (!manifest)
    throw new Error(
      checks
        .filter((c) => !c.ok && c.level === 'error')
        .map((c) => `${c.code}: ${c.found}`)
        .join(),
    )
  return { manifest, dir, subject: await openSubject(dir) }
}

const rowsOf = (subject: Subject) => {
  const { voxelCount, trialCount } = subject.manifest
  const all = subject.readVoxels([...Array(trialCount).keys()])
  return Array.from({ length: trialCount }, (_, t) => [...all.subarray(t * voxelCount, (t + 1) * voxelCount)])
}
const pixelsOf = (subject: Subject, stimulus: number) => [...subject.readImages([stimulus]).data]

describe('MindEye webdataset', () => {
  async function write(
    folder: string,
    part: string,
    samples: { id: number; rows: number[][]; unique: number }[],
    subject = 1,
  ) {
    const path = join(folder, 'webdataset_avg_split', part, `${part}_subj0${subject}_0.tar`)
    mkdirSync(dirname(path), { recursive: true })
    const tar = createTar(path)
    for (const { id, rows, unique } of samples) {
      const key = `sample${String(id).padStart(9, '0')}`
      await tar.add(`${key}.png`, await png(colours(id)))
      await tar.add(`${key}.nsdgeneral.npy`, encodeNpy(array('float16', [rows.length, rows[0].length], rows.flat())))
      await tar.add(`${key}.coco73k.npy`, encodeNpy(array('int32', [1], [id])))
      await tar.add(`${key}.num_uniques.npy`, encodeNpy(array('int32', [1], [unique])))
    }
    await tar.close()
    return path
  }
  const row = (x: number) => [x, x + 0.5, -x]

  it('repeats become trials, copied rows do not; val trains, test tests', async () => {
    const folder = temporaryFolder()
    await write(folder, 'train', [{ id: 40, rows: [row(1), row(2), row(3)], unique: 3 }])
    await write(folder, 'val', [{ id: 7, rows: [row(4), row(5), row(4)], unique: 2 }])
    await write(folder, 'test', [{ id: 19, rows: [row(6), row(6), row(6)], unique: 1 }])
    const { subject, manifest } = await load([folder])
    expect(manifest).toMatchObject({ id: 'subj01', layout: 'mindeye-webdataset', trialCount: 6, voxelCount: 3 })
    expect(check(manifest.checks, 'webdataset.repeats').found).toBe(
      '6 distinct trials in 3 samples, 3 copied rows left out',
    )
    expect(check(manifest.checks, 'nsd.voxels')).toMatchObject({ ok: false, found: '3', level: 'note' })
    const seen = [...subject.trials.stimulus].map((s, t) => [
      subject.stimuli.ids[s],
      subject.trials.part[t],
      rowsOf(subject)[t][0],
    ])
    expect(seen.sort()).toEqual([
      ['19', 1, 6],
      ['40', 0, 1],
      ['40', 0, 2],
      ['40', 0, 3],
      ['7', 0, 4],
      ['7', 0, 5],
    ])
    expect(pixelsOf(subject, subject.stimuli.ids.indexOf('19'))).toEqual([...colours(19)])
  })

  it('single tars are recognised, too, and a picture of another size is cropped and resized', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'some.tar')
    const tar = createTar(path)
    for (const [i, side] of [8, 8, 20].entries()) {
      await tar.add(`a${i}.png`, await png(colours(i, side), side))
      await tar.add(`a${i}.nsdgeneral.npy`, encodeNpy(array('float32', [1, 2], [i, -i])))
    }
    await tar.close()
    const { manifest } = await load([path])
    expect(manifest).toMatchObject({
      trialCount: 3,
      image: { height: 8, width: 8, channels: 3 },
      defaultSplit: 'leave-one-stimulus-out',
    })
    expect(check(manifest.checks, 'images.size')).toMatchObject({ ok: false, found: '1 others, cropped and resized' })
  })

  it('a folder of several subjects asks which', async () => {
    const folder = temporaryFolder()
    for (const subject of [1, 2])
      await write(folder, 'train', [{ id: 4, rows: [row(subject), row(9)], unique: 2 }], subject)
    await expect(load([folder])).rejects.toThrow(/found subjects 1, 2.*--map subject=1/)
    const { subject } = await load([folder], ['subject=2'])
    expect(rowsOf(subject)[0][0]).toBe(2)
  })

  it.each([
    [
      'another voxel count',
      { id: 2, rows: [[1, 2]], unique: 1 },
      /sample sample000000002, nsdgeneral.npy: expected 3 voxels, as the first sample, found 2/,
    ],
    ['an impossible repeat count', { id: 2, rows: [row(1)], unique: 4 }, /num_uniques.npy: expected 1 to 1, found 4/],
  ])('%s is refused by name', async (_, sample, message) => {
    const folder = temporaryFolder()
    await write(folder, 'train', [{ id: 1, rows: [row(1)], unique: 1 }, sample])
    await expect(load([folder])).rejects.toThrow(message)
  })
})

describe('MindEye2 HDF5', () => {
  const shown = [3, 1, 4, 1]
  const betas = Array.from({ length: 12 }, (_, i) => i / 4)
  const channelsFirst = (pixels: Uint8Array) =>
    Array.from(pixels, (_, i) => pixels[(i % 64) * 3 + Math.floor(i / 64)] / 255)

  async function write(folder: string, behaviour: number[][] = []) {
    writeHdf5(join(folder, 'betas_all_subj02_fp32_renorm.hdf5'), { betas: array('float32', [4, 3], betas) })
    writeHdf5(join(folder, 'coco_images_224_float16.hdf5'), {
      images: array(
        'float16',
        [6, 3, 8, 8],
        [0, 1, 2, 3, 4, 5].flatMap((i) => channelsFirst(colours(i))),
      ),
    })
    writeHdf5(join(folder, 'COCO_73k_subj_indices.hdf5'), {
      subj01: array('int64', [4], [0n, 0n, 0n, 0n] as never),
      subj02: array('int64', [4], shown.map(BigInt) as never),
    })
    mkdirSync(join(folder, 'wds', 'subj02', 'train'), { recursive: true })
    const tar = createTar(join(folder, 'wds', 'subj02', 'train', '0.tar'))
    for (const [i, row] of behaviour.entries())
      await tar.add(`sample00000000${i}.behav.npy`, encodeNpy(array('float64', [1, 17], row)))
    await tar.close()
  }
  /** image, subject, session, run, trial, global trial, …, shared */
  const behave = (image: number, session: number, run: number, trial: number, shared: number) =>
    Array.from({ length: 17 }, (_, c) => [image, 2, session, run, 1, trial][c] ?? (c === 16 ? shared : -1))

  it('finds betas, pictures, ids of the subject, and from behaviour the parts, sessions and runs', async () => {
    const folder = temporaryFolder()
    await write(folder, [behave(3, 1, 1, 0, 0), behave(1, 1, 2, 1, 1), behave(4, 2, 1, 2, 0), behave(1, 2, 1, 3, 1)])
    const { subject, manifest } = await load([folder])
    expect(manifest).toMatchObject({
      id: 'subj02',
      layout: 'mindeye2-hdf5',
      trialCount: 4,
      stimulusCount: 3,
      sessionCount: 2,
      runCount: 3,
    })
    expect(subject.stimuli.ids).toEqual(['1', '3', '4'])
    expect([...subject.trials.stimulus]).toEqual([1, 0, 2, 0])
    expect([...subject.trials.part]).toEqual([0, 1, 0, 1])
    expect([...subject.trials.run]).toEqual([101, 102, 201, 201])
    expect(rowsOf(subject).flat()).toEqual(betas)
    expect(pixelsOf(subject, 2)).toEqual([...colours(4)])
    expect(check(manifest.checks, 'alignment.behaviour').found).toBe('4 of 4 trials told')
  })

  it('behaviour that names other images than the id list stops the import', async () => {
    const folder = temporaryFolder()
    await write(folder, [behave(3, 1, 1, 0, 0), behave(5, 1, 2, 1, 1)])
    await expect(load([folder])).rejects.toThrow('alignment.behaviour: 1 rows that differ')
  })

  it('without behaviour there is no shipped split, and that is said', async () => {
    const folder = temporaryFolder()
    await write(folder)
    const { manifest } = await load([folder])
    expect(check(manifest.checks, 'alignment.behaviour')).toMatchObject({ ok: false, level: 'warning', found: 'none' })
    expect(manifest.splits[0]).toMatchObject({ split: 'shipped', possible: false })
  })
})

describe('NSD folder', () => {
  const grid = [3, 2, 2] as const
  /** The value of voxel (x, y, z) in a trial, as stored. */
  const stored = (trial: number, i: number) => 300 * (trial + 1) + 3 * i
  // C order of (x, y, z): voxels 1, 4, 5, 10 of 12
  const general = Array.from({ length: 12 }, (_, i) => ([1, 4, 5, 10].includes(i) ? 1 : i % 2 ? 0 : -1))
  const affine = [
    [-1.8, 0, 0, 2],
    [0, 1.8, 0, -3],
    [0, 0, 1.8, 4],
    [0, 0, 0, 1],
  ]
  const volume = (values: number[]) =>
    encodeNifti({ dtype: 'int16', volumeShape: grid, volumes: [Int16Array.from(values)], affine }, { gzip: true })

  function write(folder: string, sessions: [number, 'nii' | 'hdf5'][], trials = 3) {
    const betas = join(folder, 'nsddata_betas', 'ppdata', 'subj02', 'func1pt8mm', 'betas_fithrf')
    mkdirSync(betas, { recursive: true })
    for (const [number, kind] of sessions) {
      const name = join(betas, `betas_session0${number}`)
      const rows = Array.from({ length: trials }, (_, t) =>
        Array.from({ length: 12 }, (_, i) => stored((number - 1) * trials + t, i)),
      )
      if (kind === 'nii')
        writeFileSync(
          `${name}.nii.gz`,
          encodeNifti(
            { dtype: 'int16', volumeShape: grid, volumes: rows.map((r) => Int16Array.from(r)), affine },
            { gzip: true },
          ),
        )
      else {
        // MATLAB's (x, y, z, trials) as HDF5 shows it: (trials, z, y, x)
        const turned = rows.flatMap((r) =>
          Array.from({ length: 12 }, (_, j) => r[(j % 3) * 4 + (Math.floor(j / 3) % 2) * 2 + Math.floor(j / 6)]),
        )
        writeHdf5(`${name}.hdf5`, { betas: array('int16', [trials, 2, 2, 3], turned) })
      }
    }
    const roi = join(folder, 'nsddata', 'ppdata', 'subj02', 'func1pt8mm', 'roi')
    put(join(roi, 'nsdgeneral.nii.gz'), volume(general))
    put(
      join(roi, 'prf-visualrois.nii.gz'),
      volume(general.map((_, i) => (i === 4 ? 1 : i === 10 ? 7 : i === 0 ? 2 : 0))),
    )
    put(join(roi, 'areas.nii.gz'), volume(general.map((_, i) => (i === 5 ? 2 : i === 1 ? 1 : 0))))
    put(
      join(folder, 'nsddata', 'freesurfer', 'subj02', 'label', 'areas.mgz.ctab'),
      '0 Unknown 0 0 0 0\n1 left one 1 1 1 0\n2 right 2 2 2 0\n',
    )
    // a map of another kind on the same grid, outside the folder of masks
    put(join(folder, 'nsddata', 'ppdata', 'subj02', 'func1pt8mm', 'valid.nii.gz'), volume(general.map(() => 1)))
    const row = (values: number[]) => array('float64', [1, values.length], values)
    put(
      join(folder, 'nsddata', 'experiments', 'nsd', 'nsd_expdesign.mat'),
      encodeMatlab5({
        masterordering: row([1, 2, 3, 4, 1, 2, 3, 4, 1]),
        subjectim: array('float64', [2, 4], [1, 2, 3, 4, 1, 5, 6, 7]),
        sharedix: row([1]),
        stimpattern: array('bool', [3, 2, 2], [1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0]),
      }),
    )
    mkdirSync(join(folder, 'nsddata_stimuli'))
    writeHdf5(join(folder, 'nsddata_stimuli', 'nsd_stimuli.hdf5'), {
      imgBrick: array('uint8', [8, 8, 8, 3], Array.from({ length: 8 }, (_, i) => [...colours(i)]).flat()),
    })
  }

  it('reads masked betas of both file kinds, in percent, with sessions, runs, shared test images, ROIs and positions', async () => {
    const folder = temporaryFolder()
    write(folder, [
      [1, 'nii'],
      [2, 'hdf5'],
      [3, 'nii'],
    ])
    const { subject, manifest, dir } = await load([folder])
    expect(manifest).toMatchObject({
      id: 'subj02',
      layout: 'nsd',
      trialCount: 9,
      voxelCount: 4,
      sessionCount: 3,
      runCount: 6,
    })
    const expected = Array.from({ length: 9 }, (_, t) =>
      [1, 4, 5, 10].map((i) => Math.fround(stored(t, i) * (1 / 300))),
    )
    expect(rowsOf(subject)).toEqual(expected)
    // subject 2 saw 73k ids 0, 4, 5, 6 (from 0)
    expect([...subject.trials.stimulus].map((s) => subject.stimuli.ids[s])).toEqual([
      '0',
      '4',
      '5',
      '6',
      '0',
      '4',
      '5',
      '6',
      '0',
    ])
    expect([...subject.trials.part]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1])
    expect([...subject.trials.run]).toEqual([101, 101, 102, 201, 201, 202, 301, 301, 302])
    expect(pixelsOf(subject, subject.stimuli.ids.indexOf('6'))).toEqual([...colours(6)])
    expect(manifest.rois).toEqual([
      { name: 'left', voxels: 1 },
      { name: 'right', voxels: 1 },
      { name: 'V1v', voxels: 1 },
      { name: 'hV4', voxels: 1 },
    ])
    expect([...readSubjectArray(dir, 'rois.npy')!.data].map(Number)).toEqual([
      1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1,
    ])
    // voxel 10 is (2, 1, 0)
    const positions = [...(readSubjectArray(dir, 'positions.npy')!.data as Float32Array)]
    expect(positions.slice(9).map((x) => Number(x.toFixed(3)))).toEqual([-1.6, -1.2, 4])
    expect(check(manifest.checks, 'geometry.affine')).toMatchObject({
      ok: true,
      detail: 'The first axis runs right to left.',
    })
    expect(check(manifest.checks, 'nsd.mask').found).toBe('4 of 3 x 2 x 2, above zero in nsdgeneral.nii.gz')
  })

  it('a missing session leaves its gap in the order of trials, and is told', async () => {
    const folder = temporaryFolder()
    write(folder, [
      [1, 'nii'],
      [3, 'nii'],
    ])
    const { subject, manifest } = await load([folder])
    expect(check(manifest.checks, 'nsd.sessions')).toMatchObject({ ok: false, level: 'warning', found: '1, 3' })
    expect([...subject.trials.stimulus].map((s) => subject.stimuli.ids[s])).toEqual(['0', '4', '5', '5', '6', '0'])
    expect(rowsOf(subject)[3][0]).toBe(Math.fround(stored(6, 1) * (1 / 300)))
  })

  it('more trials than the design has are refused', async () => {
    const folder = temporaryFolder()
    write(folder, [[1, 'nii']], 10)
    await expect(load([folder])).rejects.toThrow(/masterordering: expected trial 10 of session 1/)
  })
})

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
