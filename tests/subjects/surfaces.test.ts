import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { invertAffine, movePoints } from '../../src-main/base/affine.ts'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { Inventory } from '../../src-main/subjects/inventory.ts'
import { simulate, simulatedLayouts } from '../../src-main/subjects/simulator/simulate.ts'
import { readManifest, readSubjectArray } from '../../src-main/subjects/subject.ts'
import { attachSurfaces } from '../../src-main/subjects/surfaces/attach.ts'
import { findSurfaces } from '../../src-main/subjects/surfaces/find.ts'
import { sides, type Side } from '../../src-main/subjects/surfaces/hemisphere.ts'
import { readSurfaces } from '../../src-main/subjects/surfaces/read.ts'
import { storedSurfaces, surfacesFolder, writeSurfaces } from '../../src-main/subjects/surfaces/stored.ts'
import { writeSmall } from './smallSurfaces.ts'
import { quietly, temporaryFolder } from './support.ts'

const level = 6
let folder: string
let source: string
let dir: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mindeye-surfaces-'))
  await simulate(
    {
      out: join(folder, 'sim'),
      subjects: 1,
      images: 12,
      layout: 'webdataset',
      seed: 2026,
      imageSize: 32,
      cortex: level,
    },
    quietly(),
  )
  source = join(folder, 'sim', 'subj01')
  dir = join(folder, 'subject')
  await importPaths([source], { id: 'demo', map: {} }, dir, quietly())
  return () => rmSync(folder, { recursive: true, force: true })
}, 120_000)

const floats = (name: string) => readSubjectArray(dir, join('surfaces', name))!.data as Float32Array<ArrayBuffer>
const integers = (name: string) => readSubjectArray(dir, join('surfaces', name))!.data as Int32Array
const freesurfer = () => join(source, 'nsddata', 'freesurfer', 'subj01')

/** Six times the volume that a mesh encloses: above 0 when its triangles are wound outwards. */
function volumeOf(points: Float32Array, faces: Uint32Array): number {
  let sum = 0
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [0, 1, 2].map((k) => points.subarray(3 * faces[f + k], 3 * faces[f + k] + 3))
    sum += a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])
  }
  return sum
}

/** Area of each triangle; NaN where a corner is. */
function areasOf(points: Float32Array, faces: Uint32Array): Float64Array {
  return Float64Array.from({ length: faces.length / 3 }, (_, f) => {
    const [a, b, c] = [0, 1, 2].map((k) => points.subarray(3 * faces[3 * f + k], 3 * faces[3 * f + k] + 3))
    const [u, v] = [b, c].map((p) => [p[0] - a[0], p[1] - a[1], p[2] - a[2]])
    return Math.hypot(u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]) / 2
  })
}

describe('the generated cortex of a simulated subject', () => {
  it('is imported with all stations, in every layout, and every file of it counts as used', async () => {
    for (const layout of simulatedLayouts) {
      const out = join(folder, layout)
      await simulate({ out, subjects: 1, images: 12, layout, seed: 3, imageSize: 32, cortex: 4 }, quietly())
      const { manifest } = await importPaths(
        [join(out, 'subj01')],
        { map: {} },
        join(folder, `${layout}-imported`),
        quietly(),
      )
      const facts = storedSurfaces(join(folder, `${layout}-imported`))!
      expect(facts.source).toBe('generated')
      for (const side of sides)
        expect(facts.hemispheres[side]).toMatchObject({
          vertices: 2562,
          faces: 5120,
          shapes: ['white', 'pial', 'inflated', 'flat'],
          curvature: true,
        })
      expect(facts.match).toMatchObject({ by: 'affine', of: manifest!.voxelCount })
      const unused = manifest!.checks.find(({ code }) => code === 'files.unused')!
      expect(unused.found).not.toMatch(/freesurfer|annot|curv/i)
      expect(manifest!.checks.find(({ code }) => code === 'surfaces')).toMatchObject({ ok: true })
    }
  }, 120_000)

  it('is a closed mesh wound outwards, with the pial side outside of the white one', () => {
    for (const side of sides) {
      const faces = readSubjectArray(dir, join('surfaces', side, 'faces.npy'))!.data as Uint32Array
      const [white, pial, inflated] = ['white', 'pial', 'inflated'].map((name) => floats(join(side, `${name}.npy`)))
      expect(white.length / 3).toBe(10 * 4 ** level + 2)
      expect(faces.length / 3).toBe(2 * (white.length / 3) - 4)
      const [inner, outer] = [white, pial].map((points) => volumeOf(points, faces))
      expect(inner).toBeGreaterThan(0)
      expect(outer).toBeGreaterThan(inner * 1.2)
      expect(volumeOf(inflated, faces)).toBeGreaterThan(0)
      expect(white.every((x, i) => i % 3 !== 0 || (side === 'left' ? x < 0 : x > 0))).toBe(true)
    }
  })

  it('has a flat map beside the other hemisphere’s, cut on the medial wall, true to area where visual cortex lies', () => {
    for (const side of sides) {
      const faces = readSubjectArray(dir, join('surfaces', side, 'faces.npy'))!.data as Uint32Array
      const [flat, inflated] = ['flat', 'inflated'].map((name) => floats(join(side, `${name}.npy`)))
      const [areas, full] = [areasOf(flat, faces), areasOf(inflated, faces)]
      const kept = [...areas.keys()].filter((f) => !Number.isNaN(areas[f]))
      expect(kept.length / areas.length).toBeGreaterThan(0.8)
      expect(kept.length / areas.length).toBeLessThan(1)
      const cut = [...flat.keys()].filter((i) => i % 3 === 0 && Number.isNaN(flat[i]))
      expect(cut.every((i) => Math.abs(inflated[i]) < 25 && inflated[i + 1] > 0)).toBe(true)
      const xs = [...flat.keys()].filter((i) => i % 3 === 0 && !Number.isNaN(flat[i])).map((i) => flat[i])
      expect(xs.every((x) => (side === 'left' ? x < 0 : x > 0))).toBe(true)
      const nsdgeneral = storedSurfaces(dir)!.hemispheres[side]!.parcellations.findIndex(
        ({ name }) => name === 'nsdgeneral',
      )
      const labels = integers(join(side, `parcellation-${nsdgeneral}.npy`))
      const visual = kept.filter((f) => labels[faces[3 * f]] > 0)
      expect(visual.length).toBeGreaterThan(1000)
      const total = (list: Float64Array) => visual.reduce((sum, f) => sum + list[f], 0)
      expect(total(areas) / total(full)).toBeGreaterThan(0.7)
      expect(total(areas) / total(full)).toBeLessThan(1.4)
    }
  })

  it('its voxels find the vertices of their own area, and a vertex shows the voxel that it passes through', () => {
    const truth = readSubjectArray(source, join('truth', 'area.npy'))!.data
    const names = ['V1', 'V2', 'V3', 'hV4', 'ventral', 'lateral']
    const vertices = integers('voxelVertex.npy')
    const facts = storedSurfaces(dir)!
    expect(facts.match!.voxels / facts.match!.of).toBeGreaterThan(0.9)
    const parcellation = (side: Side, name: string) => {
      const { parcellations } = facts.hemispheres[side]!
      const index = parcellations.findIndex((it) => it.name === name)
      return { ...parcellations[index], vertices: integers(join(side, `parcellation-${index}.npy`)) }
    }
    const areaAt = (side: Side) => {
      const [early, streams] = ['prf-visualrois', 'streams'].map((name) => parcellation(side, name))
      const named = ({ labels, vertices }: typeof early, p: number) =>
        labels.find(({ index }) => index === vertices[p])?.name
      return (p: number) => named(early, p)?.replace(/[vd]$/, '') ?? named(streams, p)
    }
    const look = { left: areaAt('left'), right: areaAt('right') }
    let agreed = 0
    let labelled = 0
    for (let v = 0; v < truth.length; v++) {
      if (vertices[2 * v] < 0) continue
      const side = sides[vertices[2 * v]]
      const area = look[side](vertices[2 * v + 1])
      if (area === undefined) continue // at the edge of all areas
      labelled++
      if (area === names[Number(truth[v])]) agreed++
    }
    expect(labelled / truth.length).toBeGreaterThan(0.9)
    expect(agreed / labelled).toBeGreaterThan(0.95)

    const positions = readSubjectArray(dir, 'positions.npy')!.data as Float32Array
    let shown = 0
    for (const side of sides) {
      const voxels = integers(join(side, 'voxel.npy'))
      const [white, pial] = ['white', 'pial'].map((name) => floats(join(side, `${name}.npy`)))
      for (let p = 0; p < voxels.length; p++) {
        if (voxels[p] < 0) continue
        shown++
        for (let c = 0; c < 3; c++) {
          const middle = (white[3 * p + c] + pial[3 * p + c]) / 2
          expect(Math.abs(middle - positions[3 * voxels[p] + c])).toBeLessThanOrEqual(0.9001)
        }
      }
    }
    expect(shown).toBeGreaterThan(5000)
  })
})

describe('attaching', () => {
  it('takes the place of what was there, refers to no original, and changes nothing when a file is damaged', () => {
    const target = join(temporaryFolder(), 'subject')
    cpSync(dir, target, { recursive: true })
    rmSync(surfacesFolder(target), { recursive: true })
    const copy = join(temporaryFolder(), 'subj01')
    cpSync(freesurfer(), copy, { recursive: true })
    const { facts, check } = attachSurfaces(target, [copy])
    expect(check.ok).toBe(true)
    expect(facts).toEqual(storedSurfaces(dir))
    const { surfaces, checks } = readManifest(target)
    expect(surfaces).toMatchObject({ source: 'generated', vertices: { left: 40962, right: 40962 } })
    expect(checks.filter(({ code }) => code === 'surfaces')).toEqual([check])
    const before = readFileSync(join(target, 'surfaces', 'left', 'white.npy'))
    expect(before.equals(readFileSync(join(dir, 'surfaces', 'left', 'white.npy')))).toBe(true)
    const told = readFileSync(join(target, 'surfaces', 'surfaces.json'), 'utf8')
    expect(told).not.toContain(copy)

    const damaged = join(copy, 'surf', 'rh.pial')
    writeFileSync(damaged, readFileSync(damaged).subarray(0, 5000))
    expect(() => attachSurfaces(target, [copy])).toThrow(/rh.pial, counts/)
    expect(storedSurfaces(target)).toEqual(facts)
    expect(readdirSync(target).filter((name) => name.startsWith('.'))).toEqual([])

    // Half a brain is what some labs scan.
    for (const name of readdirSync(join(copy, 'surf'))) if (name.startsWith('rh.')) rmSync(join(copy, 'surf', name))
    for (const name of readdirSync(join(copy, 'label'))) if (name.startsWith('rh.')) rmSync(join(copy, 'label', name))
    expect(attachSurfaces(target, [copy]).facts.hemispheres.right).toBeNull()
    expect(existsSync(join(target, 'surfaces', 'right'))).toBe(false)
    expect(() => attachSurfaces(target, [join(copy, 'label')])).toThrow(/surfaces of one person/)
  })

  it('surfaces in another space are told by a warning', async () => {
    const data = join(temporaryFolder(), 'subj01')
    cpSync(source, data, { recursive: true })
    const surf = join(data, 'nsddata', 'freesurfer', 'subj01')
    rmSync(surf, { recursive: true })
    writeSmall(surf, 'lh', 500)
    const { manifest } = await importPaths([data], { map: {} }, join(temporaryFolder(), 'subject'), quietly())
    const check = manifest!.checks.find(({ code }) => code === 'surfaces')!
    expect(check).toMatchObject({ ok: false, level: 'warning' })
    expect(check.found).toContain(`0 of ${manifest!.voxelCount} voxels have a vertex`)
  })

  it('a damaged surface does not stop an import, which says what is wrong with it', async () => {
    const data = join(temporaryFolder(), 'subj01')
    cpSync(source, data, { recursive: true })
    const damaged = join(data, 'nsddata', 'freesurfer', 'subj01', 'surf', 'lh.inflated')
    writeFileSync(damaged, readFileSync(damaged).subarray(0, 5000))
    const out = join(temporaryFolder(), 'subject')
    const { manifest } = await importPaths([data], { map: {} }, out, quietly())
    const check = manifest!.checks.find(({ code }) => code === 'surfaces')!
    expect(check).toMatchObject({ ok: false, level: 'warning' })
    expect(check.expected).toMatch(/lh.inflated, counts/)
    expect(storedSurfaces(out)).toBeUndefined()
    expect(readdirSync(out).filter((name) => name.startsWith('.'))).toEqual([])
  })
})

describe('the tables of the Natural Scenes Dataset', () => {
  it('say which voxel a vertex shows, whatever the spaces of volume and surfaces are', async () => {
    const data = join(temporaryFolder(), 'subj01')
    cpSync(source, data, { recursive: true })
    // The real volumes have their origin in the middle of the image, so that the affine leads nowhere.
    const { volume } = readManifest(dir)
    const back = invertAffine(volume!.affine)!
    const transforms = join(data, 'nsddata', 'ppdata', 'subj01', 'transforms')
    mkdirSync(transforms, { recursive: true })
    for (const side of sides) {
      const [white, pial] = ['white', 'pial'].map((name) => floats(join(side, `${name}.npy`)))
      for (const [layer, depth] of [
        [1, 0.25],
        [2, 0.5],
        [3, 0.75],
      ]) {
        const points = white.map((value, i) => value + depth * (pial[i] - value))
        movePoints(back, points)
        const bytes = encodeTable(points.map((value) => value + 1))
        writeFileSync(join(transforms, `${side[0]}h.func1pt8-to-layerB${layer}.mgz`), bytes)
      }
    }
    const surf = join(data, 'nsddata', 'freesurfer', 'subj01', 'surf')
    for (const side of ['lh', 'rh'])
      for (const name of ['white', 'pial']) cpSync(join(surf, `${side}.inflated`), join(surf, `${side}.${name}`))
    const out = join(temporaryFolder(), 'subject')
    await importPaths([data], { map: {} }, out, quietly())
    const facts = storedSurfaces(out)!
    expect(facts.match).toMatchObject({ by: 'transform' })
    for (const side of sides) {
      const found = readSubjectArray(out, join('surfaces', side, 'voxel.npy'))!.data as Int32Array
      expect([...found]).toEqual([...integers(join(side, 'voxel.npy'))])
    }
  }, 60_000)
})

/** An MGH file of (N, 1, 1) with three frames, x, y and z. */
function encodeTable(points: Float32Array): Uint8Array {
  const N = points.length / 3
  const bytes = Buffer.alloc(284 + points.length * 4)
  ;[1, N, 1, 1, 3, 3].forEach((value, i) => bytes.writeInt32BE(value, 4 * i))
  for (let c = 0; c < 3; c++) for (let p = 0; p < N; p++) bytes.writeFloatBE(points[3 * p + c], 284 + 4 * (c * N + p))
  return bytes
}

it('a subject without positions keeps surfaces, whose vertices show no voxel', () => {
  const inventory = new Inventory([freesurfer()])
  const read = readSurfaces(findSurfaces(inventory, '')!)
  inventory.close()
  const out = join(temporaryFolder(), 'surfaces')
  const facts = writeSurfaces(out, read)
  expect(facts.match).toBeUndefined()
  expect(existsSync(join(out, 'left', 'voxel.npy'))).toBe(false)
  expect(existsSync(join(out, 'left', 'white.npy'))).toBe(true)
})
