import { Box3, Quaternion, Vector3 } from 'three'
import { describe, expect, it } from 'vitest'
import { syntheticHemisphere } from '../../../bench/page/syntheticCortex.ts'
import { classCorners } from '../../../src-renderer/brain/scene/corners.ts'
import { sheet } from '../../../src-renderer/brain/scene/cubes.ts'
import { decode } from '../../../src-renderer/brain/scene/elementPass.ts'
import { labelsFrom } from '../../../src-renderer/brain/scene/labels.ts'
import { corners, placements } from '../../../src-renderer/brain/scene/layout.ts'
import { CameraRig, fit } from '../../../src-renderer/brain/scene/rig.ts'
import { vertexNormals } from '../../../src-renderer/brain/scene/surface.ts'
import { between, orbit, stationWeights, VIEWS, type ViewName } from '../../../src-renderer/brain/scene/views.ts'
import { sheetOrder } from '../../../src-renderer/brain/sheetOrder.ts'
import { SliceVolume } from '../../../src-renderer/brain/slices.ts'

const close = (a: Vector3, b: [number, number, number]) => a.toArray().forEach((c, i) => expect(c).toBeCloseTo(b[i], 5))

describe('views', () => {
  it('look from where their names say, with the right way up', () => {
    const from = (name: ViewName) => new Vector3(0, 0, 1).applyQuaternion(VIEWS[name].orientation)
    const up = (name: ViewName) => new Vector3(0, 1, 0).applyQuaternion(VIEWS[name].orientation)
    close(from('anterior'), [0, 1, 0])
    close(from('superior'), [0, 0, 1])
    close(from('caudal'), [0, -1, 0])
    close(from('ventral'), [0, 0, -1])
    for (const name of ['anterior', 'caudal', 'medial', 'outer'] as const) close(up(name), [0, 0, 1])
    for (const name of ['superior', 'ventral'] as const) close(up(name), [0, 1, 0])
    expect(
      Object.values(VIEWS)
        .map(({ key }) => key)
        .join(''),
    ).toBe('ASCVMO')
  })

  it('orbits over the poles: four quarter turns in any direction lead back', () => {
    let orientation = VIEWS.caudal.orientation
    for (let i = 0; i < 4; i++) orientation = orbit(orientation, 0, Math.PI / 2)
    expect(Math.abs(orientation.dot(VIEWS.caudal.orientation))).toBeCloseTo(1, 6)
    const over = orbit(VIEWS.caudal.orientation, 0, -2)
    close(new Vector3(1, 0, 0).applyQuaternion(over), [1, 0, 0])
  })

  it('moves in 200 ms, at a constant share of zoom', () => {
    const rig = new CameraRig()
    const to = { ...rig.view, target: new Vector3(10, 0, 0), height: 50 }
    rig.go(to, true, 1000)
    expect(rig.step(1100)).toBe(true)
    expect(rig.view.target.x).toBeGreaterThan(5)
    expect(rig.step(1200)).toBe(false)
    close(rig.view.target, [10, 0, 0])
    expect(between(to, { ...to, height: 200 }, 0.5).height).toBeCloseTo(100)
  })

  it('zooms about the pointer: what is under it stays there', () => {
    const rig = new CameraRig()
    const point = new Vector3(30, 20, 0)
    const place = () => point.clone().project(rig.camera(1.5)) // x and y from -1 to 1
    const before = place()
    rig.zoom(2, (before.x * 600) / 2, (-before.y * 400) / 2, 400)
    expect(rig.view.height).toBe(100)
    expect(place().x).toBeCloseTo(before.x, 6)
    expect(place().y).toBeCloseTo(before.y, 6)
  })

  it('blends neighbouring stations and bridges missing ones', () => {
    const all = [true, true, true, true]
    expect(stationWeights(1, all)).toEqual([0, 1, 0, 0])
    expect(stationWeights(2.25, all)).toEqual([0, 0, 0.75, 0.25])
    expect(stationWeights(1, [true, false, true, false])).toEqual([0.5, 0, 0.5, 0])
    expect(stationWeights(3, [false, true, false, false])).toEqual([0, 1, 0, 0])
    expect(stationWeights(0, [false, true, true, false])).toEqual([0, 1, 0, 0])
  })
})

describe('fitting', () => {
  it('shows every point, clear of the insets, as large as that allows', () => {
    const points = [new Vector3(-40, -70, -30), new Vector3(50, 60, 45), new Vector3(0, 90, 0)]
    const size = { width: 800, height: 500 }
    const insets = { right: 100, bottom: 80 }
    for (const { orientation } of Object.values(VIEWS)) {
      const rig = new CameraRig()
      rig.view = { orientation, open: 0, ...fit(points, orientation, size, insets) }
      const camera = rig.camera(size.width / size.height)
      const seen = points.map((point) => point.clone().project(camera))
      const [xs, ys] = [seen.map(({ x }) => ((x + 1) / 2) * 800), seen.map(({ y }) => ((1 - y) / 2) * 500)]
      expect(Math.min(...xs)).toBeGreaterThanOrEqual(0)
      expect(Math.max(...xs)).toBeLessThanOrEqual(700)
      expect(Math.min(...ys)).toBeGreaterThanOrEqual(0)
      expect(Math.max(...ys)).toBeLessThanOrEqual(420)
      const used = [(Math.max(...xs) - Math.min(...xs)) / 700, (Math.max(...ys) - Math.min(...ys)) / 420]
      expect(Math.max(...used)).toBeGreaterThan(0.9)
    }
  })
})

describe('hemispheres', () => {
  const bounds = {
    left: new Box3(new Vector3(-40, -100, -40), new Vector3(30, 70, 60)),
    right: new Box3(new Vector3(-30, -100, -40), new Vector3(40, 70, 60)),
  }
  const sideways = (apart: number, open: number) => {
    const placed = placements(bounds, apart, open)
    const left = new Box3().setFromPoints(corners({ left: bounds.left }, placed))
    const right = new Box3().setFromPoints(corners({ right: bounds.right }, placed))
    return { left, right, placed }
  }

  it('stay where they are as anatomy, and stand apart once inflated', () => {
    const { placed } = sideways(0, 0)
    close(new Vector3(1, 2, 3).applyMatrix4(placed.left), [1, 2, 3])
    const { left, right } = sideways(1, 0)
    expect(left.max.x).toBeLessThan(right.min.x)
  })

  it('show their lateral sides when opened, their medial ones when opened the other way, without overlap', () => {
    for (const [open, side] of [
      [1, -1],
      [-1, 1],
    ]) {
      const { left, right, placed } = sideways(0, open)
      expect(left.max.x).toBeLessThan(right.min.x)
      // The camera of both views looks along +y: what it sees has the lowest y.
      const outside = new Vector3(side, 0, 0).transformDirection(placed.left)
      close(outside, [0, -1, 0])
      close(new Vector3(-side, 0, 0).transformDirection(placed.right), [0, -1, 0])
    }
  })
})

describe('corner classes', () => {
  const irregular = () => {
    const n = 12
    const faces: number[] = []
    for (let i = 0; i < n - 1; i++)
      for (let j = 0; j < n - 1; j++) {
        const a = i * n + j
        if ((i * 7 + j * 5) % 3) faces.push(a, a + 1, a + n, a + 1, a + n + 1, a + n)
        else faces.push(a, a + 1, a + n + 1, a, a + n + 1, a + n)
      }
    return { faces: Uint32Array.from(faces), vertices: n * n }
  }
  const regular = syntheticHemisphere('left', 4, 50)

  it.each([
    ['an irregular mesh', irregular()],
    ['an icosphere', { faces: regular.faces, vertices: regular.voxelOf.length }],
  ])('give every triangle of %s three classes, and keep its vertices and winding', (_, { faces, vertices }) => {
    const { index, source, corner } = classCorners(faces, vertices)
    expect([...index].map((i) => source[i])).toEqual([...faces])
    for (let f = 0; f < index.length; f += 3)
      expect([corner[index[f]], corner[index[f + 1]], corner[index[f + 2]]].toSorted()).toEqual([0, 1, 2])
    expect(source.length).toBeLessThan(1.8 * vertices)
  })
})

it('normals point out of a convex surface, and missing vertices of a flat patch harm no others', () => {
  const { shapes, faces } = syntheticHemisphere('left', 3, 50)
  const normals = vertexNormals(shapes.inflated, faces)
  let outward = 0
  for (let v = 0; v < normals.length; v += 3)
    outward += Number(normals[v + 1] * shapes.inflated[v + 1] + normals[v + 2] * shapes.inflated[v + 2] > -1)
  expect(outward / (normals.length / 3)).toBeGreaterThan(0.95)
  expect(vertexNormals(shapes.flat, faces).every(Number.isFinite)).toBe(true)
})

it('names what is seen once per hemisphere, in its middle; small and covered ones are left out', () => {
  const [width, height] = [40, 20]
  const bytes = new Uint8Array(4 * width * height)
  const put = (x: number, y: number, element: number) =>
    bytes.set([(element + 1) & 255, (element + 1) >> 8], 4 * (y * width + x))
  for (let y = 5; y < 15; y++)
    for (let x = 2; x < 12; x++) {
      put(x, y, 10)
      put(x + 25, y, 300)
    }
  put(20, 1, 11)
  expect(decode(bytes, 4 * (5 * width + 27))).toBe(300)
  const names = (element: number) => (element === 11 ? ['tiny'] : ['V1'])
  const labels = labelsFrom({ bytes, width, height, step: 4 }, 200, names)
  expect(labels.map(({ name }) => name)).toEqual(['V1', 'V1'])
  expect(labels.map(({ x }) => Math.round(x / 4)).toSorted((a, b) => a - b)).toEqual([7, 32])
  expect(labels[0].y / 4).toBeCloseTo(10, -0.5)
})

describe('voxels without a surface', () => {
  it('lie in a sheet ordered by the smallest ROI that holds them', () => {
    const masks = Uint8Array.from([
      ...[1, 1, 1, 1, 1, 1, 1, 0], // nearly all
      ...[0, 0, 1, 0, 1, 0, 0, 0], // V2
      ...[0, 0, 0, 0, 0, 1, 0, 0], // V1
    ])
    expect([...sheetOrder(8, masks)]).toEqual([2, 4, 5, 0, 1, 3, 6, 7])
    expect([...sheetOrder(3)]).toEqual([0, 1, 2])
    const { centres } = sheet(sheetOrder(8, masks))
    expect([centres[6], centres[7]]).toEqual([0, -0]) // voxel 2 comes first
    expect(new Set(Array.from({ length: 8 }, (_, v) => `${centres[3 * v]},${centres[3 * v + 1]}`)).size).toBe(8)
  })

  it('are sliced in RAS whatever the order and direction of the axes of the volume', () => {
    // First axis to the back, second up, third to the left.
    const affine = [0, 0, -2, 0, -1.5, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 1]
    const ijk = Int32Array.from([5, 5, 5, 5, 5, 4, 4, 5, 5, 5, 6, 5]) // the second is right of the first, the third in front, the fourth above
    const volume = new SliceVolume(ijk, affine)
    const [x, y, z] = volume.placeOf(0)
    expect(volume.placeOf(1)).toEqual([x + 1, y, z])
    expect(volume.placeOf(2)).toEqual([x, y + 1, z])
    expect(volume.placeOf(3)).toEqual([x, y, z + 1])
    expect(volume.middleVoxel()).toBe(0)
    const coronal = volume.slice(1, y)
    expect(coronal.cell).toEqual([2, 3])
    expect(coronal.edges).toEqual(['L', 'R', 'S', 'I'])
    for (const voxel of [0, 1, 3]) {
      const [column, row] = SliceVolume.inSlice(1, volume.placeOf(voxel), coronal.height)
      expect(coronal.voxels[row * coronal.width + column]).toBe(voxel)
    }
    expect([...coronal.voxels].filter((v) => v >= 0).toSorted()).toEqual([0, 1, 3])
    expect(volume.slice(0, 99).voxels.every((v) => v < 0)).toBe(true)
  })
})

it('quaternions of views are units', () => {
  for (const { orientation } of Object.values(VIEWS)) expect(new Quaternion().copy(orientation).length()).toBeCloseTo(1)
})
