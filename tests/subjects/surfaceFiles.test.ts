import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { movePoints } from '../../src-main/base/affine.ts'
import { encodeFreesurferCurvature } from '../../src-main/formats/freesurferWrite.ts'
import { Inventory } from '../../src-main/subjects/inventory.ts'
import { proposeDatasets } from '../../src-main/subjects/proposals.ts'
import { findSurfaces, sideOf } from '../../src-main/subjects/surfaces/find.ts'
import type { Side } from '../../src-main/subjects/surfaces/hemisphere.ts'
import { readSurfaces } from '../../src-main/subjects/surfaces/read.ts'
import { curvatureOf } from '../../src-main/subjects/surfaces/shape.ts'
import { mapVoxels } from '../../src-main/subjects/surfaces/voxelMap.ts'
import { fixtureBytes } from '../formats/values.ts'
import { writeSmall } from './smallSurfaces.ts'
import { put, temporaryFolder } from './support.ts'

describe('matching voxels and vertices', () => {
  const grid = { shape: [4, 4, 4], affine: [0, -2, 0, 10, 2, 0, 0, -4, 0, 0, 2, 0, 0, 0, 0, 1] }
  const places = () => {
    const positions = Float32Array.of(0, 0, 0, 1, 2, 3, 3, 3, 3)
    movePoints(grid.affine, positions)
    return positions
  }
  const sheet = (points: Float32Array<ArrayBuffer>) => ({
    left: { faces: new Uint32Array(0), shapes: { white: points }, parcellations: [], layers: [points] },
  })

  it('goes through the inverse affine: a turned grid, and the edges of cells', () => {
    const positions = places()
    const near = positions.slice()
    for (let i = 0; i < near.length; i++) near[i] += i % 2 ? 0.99 : -0.99
    const outside = Float32Array.of(50, 50, 50)
    const points = new Float32Array([...near, ...outside])
    const { voxels, vertices } = mapVoxels(sheet(points), { positions, volume: grid })
    expect([...voxels.left!]).toEqual([0, 1, 2, -1])
    expect([...vertices]).toEqual([0, 0, 0, 1, 0, 2])
  })

  it('goes by the nearest centre where only positions are known, and not further than a voxel’s corner', () => {
    const positions = Float32Array.of(0, 0, 0, 2, 0, 0, 4, 0, 0)
    const points = Float32Array.of(0.9, 0, 0, 1.1, 0, 0, 4, 1.7, 0, 4, 1.8, 0, NaN, NaN, NaN)
    const { voxels, vertices } = mapVoxels(sheet(points), { positions })
    expect([...voxels.left!]).toEqual([0, 1, 2, -1, -1])
    expect([...vertices]).toEqual([0, 0, 0, 1, 0, 2])
  })
})

describe('surfaces of other people', () => {
  it('are found by person, and a folder of several is not guessed at', () => {
    const root = temporaryFolder()
    for (const person of ['subj01', 'subj02', 'fsaverage']) writeSmall(join(root, person), 'lh')
    const inventory = new Inventory([root])
    expect(findSurfaces(inventory, 'subj02')?.folder).toBe(join(root, 'subj02'))
    expect(findSurfaces(inventory, 'other')).toBeUndefined()
    inventory.close()
    const one = new Inventory([join(root, 'subj01'), join(root, 'fsaverage')])
    expect(findSurfaces(one, 'other')?.folder).toBe(join(root, 'subj01'))
    one.close()
  })

  it('dropped alone they are told as what they are, and with a damaged file too', async () => {
    const root = temporaryFolder()
    writeSmall(root, 'lh')
    put(join(root, 'mid.surf.gii'), '<GIFTI><DataArray>')
    const [proposal] = await proposeDatasets([root])
    expect(proposal.recognised).toBeUndefined()
    expect(proposal.surfaces).toBe('the left hemisphere: white, pial, inflated')
    expect((await proposeDatasets([put(join(temporaryFolder(), 'notes.txt'), 'x')]))[0].surfaces).toBeUndefined()
  })

  it.each([
    ['lh.white', 'left', 'white'],
    ['rh.full.flat.patch.3d', 'right', 'full.flat.patch.3d'],
    ['sub-01_hemi-L_pial.surf.gii', 'left', 'sub-01_pial.surf.gii'],
    ['100307.R.inflated.32k_fs_LR.surf.gii', 'right', '100307.inflated.32k_fs_LR.surf.gii'],
    ['pial_left.gii.gz', 'left', 'pial_gii.gz'],
  ])('%s is of the %s hemisphere', (name, side, rest) => expect(sideOf(name)).toEqual({ side, rest }))

  it('inflated hemispheres that lie one in the other are put side by side, at the height of the folded ones', () => {
    const root = temporaryFolder()
    writeSmall(root, 'lh')
    writeSmall(root, 'rh')
    const inventory = new Inventory([root])
    const { meshes, source } = readSurfaces(findSurfaces(inventory, '')!)
    inventory.close()
    expect(source).toBe('freesurfer')
    const xs = (side: Side) => [...meshes[side]!.shapes.inflated!].filter((_, i) => i % 3 === 0)
    expect(Math.max(...xs('left'))).toBe(-2)
    expect(Math.min(...xs('right'))).toBe(2)
    expect(Math.max(...[...meshes.left!.shapes.white!].filter((_, i) => i % 3 === 0))).toBe(9)
  })

  it('a curvature of the other sign is turned, and a missing one is computed', () => {
    const root = temporaryFolder()
    const { vertices, faces } = writeSmall(root, 'lh')
    const own = curvatureOf(vertices, faces)
    expect(own.every((value) => value < 0)).toBe(true) // convex everywhere
    const read = () => {
      const inventory = new Inventory([root])
      const { meshes } = readSurfaces(findSurfaces(inventory, '')!)
      inventory.close()
      return [...meshes.left!.curvature!]
    }
    read().forEach((value, i) => expect(value).toBeCloseTo(own[i], 4))
    put(join(root, 'surf', 'lh.curv'), encodeFreesurferCurvature(new Float32Array(6).fill(0.5), 8))
    expect(read()).toEqual(new Array(6).fill(-0.5))
  })

  it('files of different meshes are refused by name', () => {
    const root = temporaryFolder()
    writeSmall(root, 'lh')
    put(join(root, 'surf', 'lh.curv'), encodeFreesurferCurvature(new Float32Array(7), 8))
    const inventory = new Inventory([root])
    const found = findSurfaces(inventory, '')!
    expect(() => readSurfaces(found)).toThrow(/lh.curv, vertices: expected 6, as lh.white has, found 7/)
    inventory.close()
  })
})

it('GIFTI files of one hemisphere, named as fMRIPrep names them', () => {
  const root = temporaryFolder()
  const copy = (fixture: string, name: string) => put(join(root, `sub-01_hemi-L_${name}`), fixtureBytes(fixture))
  for (const [fixture, shape] of [
    ['ascii', 'white'],
    ['base64', 'pial'],
    ['gzip', 'inflated'],
    ['big', 'midthickness'],
  ])
    // prettier-ignore
    copy(`${fixture}.surf.gii`, `${shape}.surf.gii`)
  copy('maps.shape.gii', 'curv.shape.gii')
  copy('areas.label.gii', 'areas.label.gii')
  const inventory = new Inventory([root])
  const { meshes, source } = readSurfaces(findSurfaces(inventory, '')!)
  inventory.close()
  expect(source).toBe('gifti')
  const mesh = meshes.left!
  expect(Object.keys(mesh.shapes).filter((name) => mesh.shapes[name as 'white'])).toEqual(['white', 'pial', 'inflated'])
  // The file keeps the x of its volume's centre, 3 mm, apart.
  expect([...mesh.shapes.white!.subarray(0, 3)]).toEqual([4.25, 0.25, 0.25])
  expect(mesh.curvature!.map(Math.abs)).toEqual(Float32Array.of(0.5, 0.25, 1e-3, 0, 12.5, 7))
  expect(mesh.parcellations).toMatchObject([{ name: 'sub-01_areas', labels: [{}, { name: 'V1' }, {}] }])
  expect([...mesh.parcellations[0].vertices]).toEqual([0, 1, 2, 0, 1, 2])
})
