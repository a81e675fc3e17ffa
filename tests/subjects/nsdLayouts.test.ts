import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeHdf5 } from '../../src-main/formats/hdf5.ts'
import { encodeMatlab5 } from '../../src-main/formats/matlab5.ts'
import { encodeNifti } from '../../src-main/formats/nifti.ts'
import { encodeNpy } from '../../src-main/formats/npy.ts'
import { createTar } from '../../src-main/formats/tar.ts'
import { readSubjectArray } from '../../src-main/subjects/subject.ts'
import { nsdCountChecks } from '../../src-main/subjects/layouts/nsdFacts.ts'
import { array, check, colours, load, pixelsOf, png, put, rowsOf, temporaryFolder } from './support.ts'

it('the counts of the real datasets are known', () => {
  const [voxels, trials] = nsdCountChecks(1, 15724, 30000)
  expect([voxels.ok, trials.ok]).toEqual([true, true])
  expect(nsdCountChecks(4, 13153, 22500).every(({ ok }) => ok)).toBe(true)
  expect(nsdCountChecks(1, 15724, 27750)[1]).toMatchObject({
    ok: false,
    found: '27750',
    expected: '30000 (subject 1 of the Natural Scenes Dataset)',
  })
  expect(nsdCountChecks(undefined, 3)).toEqual([])
})

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
    put(join(folder, 'webdataset_avg_split', 'metadata_subj01.json'), '{"totals": {"train": 1, "val": 2, "test": 1}}')
    const { subject, manifest } = await load([folder])
    expect(check(manifest.checks, 'webdataset.totals')).toMatchObject({
      ok: false,
      expected: '1 train, 2 val, 1 test',
      found: '1 train, 1 val, 1 test',
    })
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

  it('a damaged metadata file is named', async () => {
    const folder = temporaryFolder()
    await write(folder, 'train', [{ id: 1, rows: [row(1), row(2)], unique: 2 }])
    put(join(folder, 'metadata_subj01.json'), '{"totals": 3}')
    await expect(load([folder])).rejects.toThrow(/metadata_subj01\.json, totals: expected JSON with a count per part/)
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
    expect(check(manifest.checks, 'nsd.sessions')).toMatchObject({ ok: true, found: '1, 2, 3' })
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
