import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { OverlayFacts } from '../../src-main/api/overlays.ts'
import type { BrainGeometry } from '../../src-main/api/routes/brain.ts'
import type { MapFacts } from '../../src-main/api/voxelMapMaker.ts'
import { createApp, type App } from '../../src-main/app.ts'
import type { ErrorParts } from '../../src-main/base/errors.ts'
import { encodeNifti } from '../../src-main/formats/nifti.ts'
import { encodeNpy } from '../../src-main/formats/npy.ts'
import { encodeFreesurferCurvature } from '../../src-main/formats/freesurferWrite.ts'
import { encodeSafetensors } from '../../src-main/formats/safetensors.ts'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { simulate } from '../../src-main/subjects/simulator/simulate.ts'
import { openSubject, readManifest, readSubjectArray } from '../../src-main/subjects/subject.ts'
import type { VoxelMapOffer } from '../../src-main/subjects/voxelMaps.ts'
import { Workspace } from '../../src-main/workspace/index.ts'
import { quietly } from '../subjects/support.ts'

const folder = mkdtempSync(join(tmpdir(), 'mindeye-brain-'))
const source = join(folder, 'sim', 'subj01')
const imported = join(folder, 'imported')
const N = 10 * 4 ** 4 + 2

beforeAll(async () => {
  await simulate(
    { out: join(folder, 'sim'), subjects: 1, images: 12, layout: 'nsd', seed: 5, imageSize: 32, cortex: 4 },
    quietly(),
  )
  await importPaths([source], { id: 's1', map: {} }, imported, quietly())
  return () => rmSync(folder, { recursive: true, force: true })
}, 120_000)

/** The app on a new workspace with the subject, with and without its surfaces. */
async function start({ bare = false, prepare }: { bare?: boolean; prepare?: (workspace: string) => void } = {}) {
  const root = mkdtempSync(join(tmpdir(), 'mindeye-brain-workspace-'))
  const path = join(root, 'workspace')
  const made = Workspace.open(path, { create: true })
  const staging = made.subjects.stage('s1')
  cpSync(imported, staging.folder, { recursive: true })
  if (bare) rmSync(join(staging.folder, 'surfaces'), { recursive: true })
  if (bare) rmSync(join(staging.folder, 'positions.npy'))
  staging.commit()
  made.close()
  prepare?.(path)
  const app = await createApp({ workspacePath: path, allow: [], native: false, log() {} })
  onTestFinished(async () => {
    await app.close()
    rmSync(root, { recursive: true, force: true })
  })
  return { app, dir: join(path, 'subjects', 's1'), root }
}

const ask = (app: App, path: string, init?: RequestInit) => app.fetch(new Request(`http://app/api/brain/${path}`, init))
const json = async <T>(app: App, path: string) => (await (await ask(app, path)).json()) as T
async function floats(app: App, path: string): Promise<Float32Array> {
  const response = await ask(app, path)
  expect(response.status, path).toBe(200)
  return new Float32Array(await response.arrayBuffer())
}
const integers = async (app: App, path: string) => new Int32Array(await (await ask(app, path)).arrayBuffer())
async function problem(app: App, path: string, init?: RequestInit) {
  const response = await ask(app, path, init)
  const { error } = (await response.json()) as { error: ErrorParts & { message: string } }
  return { status: response.status, ...error }
}
const drop = async (app: App, path: string, more: object = {}) =>
  ask(app, 's1/overlay', { method: 'POST', body: JSON.stringify({ handle: app.picked.add(path), ...more }) })

describe('geometry', () => {
  it('says what there is, and every array of it has the bytes that it says', async () => {
    const { app, dir } = await start()
    const geometry = await json<BrainGeometry>(app, 's1/geometry')
    const manifest = readManifest(dir)
    expect(geometry).toMatchObject({
      source: 'generated',
      voxels: manifest.voxelCount,
      positions: true,
      volume: manifest.volume,
      match: { by: 'affine' },
    })
    expect(geometry.rois.map(({ name, voxels }) => ({ name, voxels }))).toEqual(manifest.rois)
    // V2v is the third of its file, and its colour in the label file is the one of its ROI.
    const labels = await json<{ labels: { index: number; name: string; colour: number[] }[] }>(
      app,
      's1/left/parcellation/prf-visualrois',
    )
    expect(labels.labels.map(({ name }) => name)).toEqual(['V1v', 'V1d', 'V2v', 'V2d', 'V3v', 'V3d', 'hV4'])
    expect(geometry.rois.find(({ name }) => name === 'V2v')!.colour).toEqual(labels.labels[2].colour)
    for (const side of ['left', 'right'] as const) {
      const mesh = geometry.hemispheres[side]!
      expect(mesh).toMatchObject({ vertices: N, faces: 2 * N - 4, curvature: true })
      expect(mesh.shapes).toEqual(['white', 'pial', 'inflated', 'flat'])
      for (const shape of mesh.shapes) expect((await floats(app, `s1/${side}/${shape}`)).length).toBe(3 * N)
      expect(Math.max(...new Uint32Array(await (await ask(app, `s1/${side}/faces`)).arrayBuffer()))).toBe(N - 1)
      expect((await floats(app, `s1/${side}/curvature`)).length).toBe(N)
      const voxels = await integers(app, `s1/${side}/voxel`)
      expect(voxels.length).toBe(N)
      expect(Math.max(...voxels)).toBeLessThan(geometry.voxels)
      expect(mesh.parcellations).toContain('streams')
      const pieces = await integers(app, `s1/${side}/parcellation/streams/vertices`)
      expect(new Set(pieces)).toEqual(new Set([-1, 1, 2, 5, 6]))
    }
    const positions = await floats(app, 's1/positions')
    expect(positions).toEqual(readSubjectArray(dir, 'positions.npy')!.data)
    const ijk = await integers(app, 's1/ijk')
    const { affine, shape } = geometry.volume!
    for (let v = 0; v < geometry.voxels; v++)
      for (let r = 0; r < 3; r++) {
        const mm = [0, 1, 2].reduce((sum, c) => sum + affine[4 * r + c] * ijk[3 * v + c], affine[4 * r + 3])
        expect(Math.abs(mm - positions[3 * v + r])).toBeLessThan(1e-3)
        expect(ijk[3 * v + r]).toBeLessThan(shape[r])
      }
    const vertices = await integers(app, 's1/voxel-vertex')
    expect(vertices.length).toBe(2 * geometry.voxels)
    const masks = new Uint8Array(await (await ask(app, 's1/rois')).arrayBuffer())
    expect(masks.length).toBe(geometry.rois.length * geometry.voxels)
    expect(masks.subarray(0, geometry.voxels).reduce((a, b) => a + b, 0)).toBe(geometry.rois[0].voxels)
  })

  it('arrays are tagged, so that a page that has them is told so; new surfaces change the version', async () => {
    const { app, dir } = await start()
    const { version } = await json<BrainGeometry>(app, 's1/geometry')
    const first = await ask(app, `s1/left/pial?v=${version}`)
    expect(first.headers.get('Cache-Control')).toMatch(/immutable/)
    const again = await ask(app, 's1/left/pial', { headers: { 'If-None-Match': first.headers.get('ETag')! } })
    expect(again.status).toBe(304)
    const paths = [app.picked.add(join(source, 'nsddata', 'freesurfer', 'subj01'))]
    const attached = await app.fetch(
      new Request('http://app/api/trpc/run.surfaces', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ subject: 's1', paths }),
      }),
    )
    const { result } = (await attached.json()) as { result: { data: unknown } }
    expect(result.data).toMatchObject({ subject: 's1', source: 'generated', check: { ok: true } })
    expect((await json<BrainGeometry>(app, 's1/geometry')).version).not.toBe(version)
    expect(readSubjectArray(dir, 'surfaces/left/white.npy')!.shape).toEqual([N, 3])
  })

  it('a subject without surfaces and positions says so, and what would help', async () => {
    const { app } = await start({ bare: true })
    const geometry = await json<BrainGeometry>(app, 's1/geometry')
    expect(geometry).toMatchObject({ source: 'none', hemispheres: { left: null, right: null }, positions: false })
    expect(await problem(app, 's1/left/pial')).toMatchObject({
      status: 409,
      found: 'none',
      fix: /mindeye surfaces/ as never,
    })
    expect((await problem(app, 's1/positions')).message).toMatch(/expected places of the voxels, found none/)
    expect((await problem(app, 's1/ijk')).status).toBe(409)
    expect((await problem(app, 's1/voxel-vertex')).status).toBe(409)
    expect((await problem(app, 'nobody/geometry')).expected).toBe('one of s1')
  })

  it('names what it has when asked for something else', async () => {
    const { app } = await start()
    expect((await problem(app, 's1/middle/pial')).message).toMatch(/left or right hemisphere, found 'middle'/)
    expect((await problem(app, 's1/left/sphere')).message).toMatch(
      /one of faces, curvature, voxel, white.*found 'sphere'/,
    )
    expect((await problem(app, 's1/left/parcellation/x%2F..%2Fwhite')).message).toMatch(/one of .*streams/)
  })
})

describe('maps', () => {
  const mapOf = async (app: App, path: string) => {
    const response = await ask(app, `s1/map/${path}`)
    expect(response.status, path).toBe(200)
    const facts = JSON.parse(response.headers.get('X-Map')!) as MapFacts
    return { values: new Float32Array(await response.arrayBuffer()), facts }
  }

  it('betas of a trial, as imported and z-scored over the trials, equal the data', async () => {
    const { app, dir } = await start()
    const subject = await openSubject(dir)
    const { voxelCount: V, trialCount } = subject.manifest
    const all = subject.readVoxels([...Array(trialCount).keys()])
    const trial = 17
    const raw = await mapOf(app, `raw-trial?trial=${trial}`)
    expect(raw.facts).toMatchObject({ unit: '%', signed: true, n: 1 })
    expect(raw.values).toEqual(all.slice(trial * V, (trial + 1) * V))
    const { values, facts } = await mapOf(app, `trial?trial=${trial}`)
    const mean = await mapOf(app, 'mean')
    const image = await mapOf(app, `image?trial=${trial}`)
    expect(facts.unit).toBe('z')
    const stimulus = subject.trials.stimulus
    const rows = [...stimulus.keys()].filter((row) => stimulus[row] === stimulus[trial])
    expect(image.facts).toMatchObject({
      n: rows.length,
      detail: `mean of ${rows.length} trials, image ${subject.stimuli.ids[stimulus[trial]]}`,
    })
    for (let v = 0; v < V; v += 13) {
      const column = Array.from({ length: trialCount }, (_, t) => all[t * V + v])
      const m = column.reduce((a, b) => a + b, 0) / trialCount
      const sd = Math.sqrt(column.reduce((sum, x) => sum + (x - m) ** 2, 0) / trialCount)
      expect(mean.values[v]).toBeCloseTo(m, 4)
      expect(values[v]).toBeCloseTo((column[trial] - m) / sd, 3)
      expect(image.values[v]).toBeCloseTo((rows.reduce((sum, t) => sum + column[t], 0) / rows.length - m) / sd, 3)
    }
    subject.close()
  })

  it('statistics that nobody has kept are computed once', async () => {
    const { app, dir } = await start()
    const before = await mapOf(app, 'trial?trial=3')
    rmSync(join(dir, 'cache', 'statistics.npy'))
    const other = await start()
    rmSync(join(other.dir, 'cache', 'statistics.npy'))
    const after = await mapOf(other.app, 'trial?trial=3')
    before.values.forEach((value, v) => expect(after.values[v]).toBeCloseTo(value, 3))
    expect(readSubjectArray(other.dir, 'cache/statistics.npy')!.shape).toEqual([2, before.values.length])
  })

  it('noise ceiling and ROIs', async () => {
    const { app, dir } = await start()
    const { noiseCeiling, rois, voxelCount } = readManifest(dir)
    const ceiling = await mapOf(app, 'noise-ceiling')
    expect(ceiling.values.reduce((a, b) => a + b, 0) / voxelCount).toBeCloseTo(noiseCeiling!.mean, 4)
    expect(ceiling.facts).toMatchObject({ unit: 'share of variance', signed: false })
    const v1 = await mapOf(app, 'roi?roi=V1v')
    expect(v1.values.reduce((a, b) => a + b, 0)).toBe(rois.find(({ name }) => name === 'V1v')!.voxels)
    const counts = await mapOf(app, 'rois')
    expect(counts.values.reduce((a, b) => a + b, 0)).toBe(rois.reduce((sum, { voxels }) => sum + voxels, 0))
    const offers = await json<VoxelMapOffer[]>(app, 's1/maps')
    expect(offers.find(({ id }) => id === 'weights')!.needs).toBe('run')
    expect(offers.map(({ id }) => id)).toEqual([
      'trial',
      'image',
      'raw-trial',
      'mean',
      'noise-ceiling',
      'weights',
      'roi',
      'rois',
    ])
  })

  it('weights of a run: the norm of each voxel’s column of the first layer, of ridge its row, mean over folds', async () => {
    let runs: string[] = []
    const { app, dir } = await start({
      prepare(path) {
        const workspace = Workspace.open(path)
        const V = readManifest(imported).voxelCount
        runs = ['network', 'ridge', 'none'].map(
          (preset) => workspace.runs.create({ subject: 's1', preset, config: {} }).id,
        )
        const put = (run: string, fold: number, tensors: Parameters<typeof encodeSafetensors>[0]) => {
          const folder = join(path, 'runs', run, 'folds', String(fold))
          mkdirSync(folder, { recursive: true })
          writeFileSync(join(folder, 'model.safetensors'), encodeSafetensors(tensors))
        }
        for (const fold of [0, 1])
          put(runs[0], fold, {
            'voxel2clip.lin0.0.weight': {
              dtype: 'float32',
              shape: [2, V],
              data: Float32Array.from({ length: 2 * V }, (_, i) => (i < V ? 3 : 4) * (fold + 1) * (i % V)),
            },
            'voxel2clip.lin1.weight': { dtype: 'float32', shape: [1, V], data: new Float32Array(V) },
          })
        put(runs[1], 0, {
          weights: {
            dtype: 'float32',
            shape: [V, 2],
            data: Float32Array.from({ length: 2 * V }, (_, i) => (i % 2 ? 12 : 5) * (i >> 1)),
          },
        })
        workspace.close()
      },
    })
    const V = readManifest(dir).voxelCount
    const network = await mapOf(app, `weights?run=${runs[0]}`)
    expect(network.facts).toMatchObject({ n: 2, unit: 'L2 norm' })
    const ridge = await mapOf(app, `weights?run=${runs[1]}`)
    for (let v = 0; v < V; v++) {
      expect(network.values[v]).toBeCloseTo(7.5 * v, 1)
      expect(ridge.values[v]).toBeCloseTo(13 * v, 1)
    }
    expect((await problem(app, `s1/map/weights?run=${runs[2]}`)).expected).toBe('a run with a trained decoder')
    expect((await problem(app, 's1/map/weights?run=nothing')).status).toBe(400)
  })

  it('a missing or wrong choice is told', async () => {
    const { app, dir } = await start()
    const { trialCount } = readManifest(dir)
    expect(await problem(app, 's1/map/trial')).toMatchObject({ status: 400, expected: 'the trial to show' })
    for (const trial of [trialCount, '-1', '1.5', '1e1', 'x'])
      expect((await problem(app, `s1/map/trial?trial=${trial}`)).expected).toBe(
        `a row of the trial table, 0 to ${trialCount - 1}`,
      )
    expect((await problem(app, 's1/map/roi?roi=Nowhere')).message).toMatch(/one of .*V1v.*found 'Nowhere'/)
    expect((await problem(app, 's1/map/moon')).expected).toMatch(/^one of trial, image/)
  })
})

describe('overlays', () => {
  it('a NIfTI is sampled at the voxels and at the vertices through its own affine', async () => {
    const { app, dir, root } = await start()
    // On a grid of its own, coarser and mirrored: the value of each voxel is its x in mm.
    const affine = [[-3, 0, 0, 90], [0, 3, 0, -120], [0, 0, 3, -70], [0, 0, 0, 1]] // prettier-ignore
    const shape: [number, number, number] = [61, 80, 50]
    const volume = Float32Array.from({ length: 61 * 80 * 50 }, (_, i) => 90 - 3 * Math.floor(i / 4000))
    const path = join(root, 'x.nii.gz')
    writeFileSync(
      path,
      encodeNifti({ dtype: 'float32', volumeShape: shape, volumes: [volume], affine }, { gzip: true }),
    )
    const facts = (await (await drop(app, path)).json()) as OverlayFacts
    expect(facts).toMatchObject({
      title: 'x',
      kind: 'voxel',
      signed: true,
      parts: ['voxels', 'left', 'right'],
      frames: 1,
    })
    const values = await floats(app, `s1/overlay/${facts.id}/voxels`)
    const positions = readSubjectArray(dir, 'positions.npy')!.data as Float32Array
    values.forEach((value, v) => expect(Math.abs(value - positions[3 * v])).toBeLessThanOrEqual(1.5001))
    const left = await floats(app, `s1/overlay/${facts.id}/left`)
    const [white, pial] = ['white', 'pial'].map(
      (name) => readSubjectArray(dir, `surfaces/left/${name}.npy`)!.data as Float32Array,
    )
    left.forEach((value, p) => expect(Math.abs(value - (white[3 * p] + pial[3 * p]) / 2)).toBeLessThanOrEqual(1.5001))
    expect((await problem(app, `s1/overlay/${facts.id}/top`)).message).toMatch(/one of voxels, left, right/)
    expect((await problem(app, 's1/overlay/overlay-99/left')).fix).toBe('Drop the file again.')
  })

  it('maps of vertices: by name, by what is asked, and both halves as one', async () => {
    const { app, root } = await start()
    const map = (name: string, value: number) => {
      const path = join(root, name)
      writeFileSync(path, encodeFreesurferCurvature(new Float32Array(N).fill(value), 2 * N - 4))
      return path
    }
    const first = (await (await drop(app, map('lh.thickness', 2))).json()) as OverlayFacts
    expect(first).toMatchObject({
      title: 'thickness',
      kind: 'vertex',
      parts: ['left'],
      min: 2,
      max: 2,
      n: N,
      signed: false,
    })
    const second = (await (await drop(app, map('rh.thickness', 3))).json()) as OverlayFacts
    expect(second).toMatchObject({ id: first.id, parts: ['left', 'right'], max: 3 })
    expect((await floats(app, `s1/overlay/${first.id}/right`))[0]).toBe(3)
    const unnamed = map('thickness', 4)
    expect((await problemOf(await drop(app, unnamed))).expected).toMatch(/a name that tells the hemisphere/)
    const asked = (await (await drop(app, unnamed, { hemisphere: 'right' })).json()) as OverlayFacts
    expect(asked.parts).toEqual(['right'])
  })

  it('refuses what is of another brain, what is no map, and paths that nobody picked', async () => {
    const { app, root } = await start()
    const other = join(root, 'lh.other')
    writeFileSync(other, encodeFreesurferCurvature(new Float32Array(12), 20))
    expect((await problemOf(await drop(app, other))).message).toMatch(
      new RegExp(`expected ${N} for the vertices.*found 12`),
    )
    const away = join(root, 'away.nii')
    const affine = [[1, 0, 0, 500], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]] // prettier-ignore
    writeFileSync(
      away,
      encodeNifti({ dtype: 'float32', volumeShape: [2, 2, 2], volumes: [new Float32Array(8)], affine }),
    )
    expect((await problemOf(await drop(app, away))).expected).toBe('a map that falls on this subject')
    const pial = join(source, 'nsddata', 'freesurfer', 'subj01', 'surf', 'lh.pial')
    expect((await problemOf(await drop(app, pial))).expected).toMatch(/NIfTI, MGH, GIFTI/)
    const list = join(root, 'list.npy')
    const V = readManifest(imported).voxelCount
    writeFileSync(list, encodeNpy({ dtype: 'float32', shape: [V], data: new Float32Array(V).fill(1) }))
    expect((await (await drop(app, list)).json()) as OverlayFacts).toMatchObject({ kind: 'voxel', parts: ['voxels'] })
    const raw = await problem(app, 's1/overlay', { method: 'POST', body: JSON.stringify({ handle: list }) })
    expect(raw.message).toMatch(/dropped or picked/)
  })
})

async function problemOf(response: Response): Promise<ErrorParts & { message: string }> {
  return ((await response.json()) as { error: ErrorParts & { message: string } }).error
}
