import { describe, expect, test } from 'vitest'
import { Random } from '../../src-main/nn/random.ts'
import { world } from '../../src-main/subjects/simulator/constants.ts'
import { makePooling, pool, sceneFeatures } from '../../src-main/subjects/simulator/features.ts'
import { kindGroups, kinds } from '../../src-main/subjects/simulator/kinds.ts'
import { SceneDrawer, ScenePainter } from '../../src-main/subjects/simulator/scenes.ts'

describe('scenes', () => {
  test('hold one or two different objects inside the frame, apart from each other', () => {
    const scenes = new SceneDrawer().draw(new Random(3), 400)
    for (const { objects } of scenes) {
      expect([1, 2]).toContain(objects.length)
      for (const { x, y, size } of objects)
        expect(Math.min(x, y, world.side - x - size, world.side - y - size)).toBeGreaterThanOrEqual(0)
      if (objects.length < 2) continue
      const [a, b] = objects
      expect(a.kind).not.toBe(b.kind)
      const distance = Math.hypot(a.x + a.size / 2 - b.x - b.size / 2, a.y + a.size / 2 - b.y - b.size / 2)
      expect(distance).toBeGreaterThanOrEqual((world.spacing * (a.size + b.size)) / 2)
    }
    const two = scenes.filter(({ objects }) => objects.length === 2).length / scenes.length
    expect(two).toBeCloseTo(world.twoObjects, 1)
    expect(new Set(scenes.flatMap(({ objects }) => objects.map(({ kind }) => kind))).size).toBe(28)
  })

  test('follow the seed, and no scene is a near copy of another', () => {
    const drawer = new SceneDrawer()
    const scenes = [...drawer.draw(new Random(5), 300), ...drawer.draw(new Random(6), 1200)]
    expect(new SceneDrawer().draw(new Random(5), 300)).toEqual(scenes.slice(0, 300))
    let near = 0
    scenes.forEach((a, i) => {
      for (const b of scenes.slice(0, i)) {
        if (a.background !== b.background || a.objects.length !== b.objects.length) continue
        const alike = a.objects.every((o, k) => {
          const p = b.objects[k]
          return o.kind === p.kind && o.size === p.size && Math.hypot(o.x - p.x, o.y - p.y) <= world.minShift
        })
        if (alike) near++
      }
    })
    expect(near).toBe(0)
  })

  test('are painted the same at every size, each kind visible and different', async () => {
    const painter = new ScenePainter()
    const pictures = await Promise.all(
      kinds.map((_, kind) => painter.paint({ objects: [{ kind, size: 46, x: 9, y: 9 }], background: 0 }, 64)),
    )
    const empty = await painter.paint({ objects: [], background: 0 }, 64)
    const changed = (a: Uint8Array, b: Uint8Array): number =>
      a.filter((v, i) => Math.abs(v - b[i]) > 12).length / a.length
    pictures.forEach((picture, kind) => {
      expect(changed(picture.data, empty.data), kinds[kind]).toBeGreaterThan(0.06)
      for (const other of pictures.slice(0, kind)) expect(changed(picture.data, other.data)).toBeGreaterThan(0.05)
    })
    const large = await painter.paint({ objects: [{ kind: 4, size: 46, x: 9, y: 9 }], background: 0 }, 256)
    let difference = 0
    for (let y = 0; y < 64; y++)
      for (let x = 0; x < 64; x++) {
        let sum = 0
        for (let dy = 0; dy < 4; dy++)
          for (let dx = 0; dx < 4; dx++) sum += large.data[((4 * y + dy) * 256 + 4 * x + dx) * 3]
        difference += Math.abs(sum / 16 - pictures[4].data[(y * 64 + x) * 3])
      }
    expect(difference / 4096).toBeLessThan(3)
  })
})

describe('features', () => {
  /** A 64 x 64 grating whose light changes along x (or y), in the quarter of the display right above its middle. */
  function grating(horizontal: boolean): Uint8Array {
    const data = new Uint8Array(64 * 64 * 3).fill(128)
    for (let y = 0; y < 32; y++)
      for (let x = 32; x < 64; x++)
        data.fill((horizontal ? x : y) % 8 < 4 ? 220 : 40, (y * 64 + x) * 3, (y * 64 + x) * 3 + 3)
    return data
  }

  test('edge energies tell orientation and place', () => {
    const out = new Float64Array(12)
    const energy = (horizontal: boolean, x: number, y: number): number[] => {
      const image = { data: grating(horizontal), width: 64, height: 64, channels: 3 as const }
      pool(sceneFeatures({ objects: [], background: 0 }, image).maps, makePooling({ x, y, sd: 0.5 }), 0, 12, out)
      return [...out]
    }
    const vertical = energy(true, 2, 2)
    expect(vertical[0]).toBeGreaterThan(10 * vertical[2])
    const level = energy(false, 2, 2)
    expect(level[2]).toBeGreaterThan(10 * level[0])
    expect(energy(true, -2, -2)[0]).toBe(0)
    expect(energy(true, -2, 2)[0]).toBe(0)
    expect(energy(true, 2, -2)[0]).toBe(0)
  })

  test('category vectors are nearer within a group than across realms', async () => {
    const painter = new ScenePainter()
    const vectors = await Promise.all(
      kinds.map(async (_, kind) => {
        const scene = { objects: [{ kind, size: 46, x: 9, y: 9 }], background: 0 }
        return sceneFeatures(scene, await painter.paint(scene, 64)).objects[0].category
      }),
    )
    const means = { same: [0, 0], other: [0, 0] }
    vectors.forEach((a, i) => {
      expect(Math.hypot(...a)).toBeCloseTo(1, 5)
      vectors.slice(0, i).forEach((b, j) => {
        const mean = means[kindGroups[i] === kindGroups[j] ? 'same' : 'other']
        mean[0] += a.reduce((sum, value, k) => sum + value * b[k], 0)
        mean[1]++
      })
    })
    expect(means.same[0] / means.same[1]).toBeGreaterThan(means.other[0] / means.other[1] + 0.25)
  })
})
