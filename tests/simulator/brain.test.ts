import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../src-main/nn/random.ts'
import { areaAt, areaNames, chart } from '../../src-main/subjects/simulator/areas.ts'
import { brain, design as designConstants } from '../../src-main/subjects/simulator/constants.ts'
import { icosphere, subtract } from '../../src-main/subjects/simulator/cortex.ts'
import type { Cortex } from '../../src-main/subjects/simulator/cortex.ts'
import { makeDesign, sessionRange, trialsByColumn } from '../../src-main/subjects/simulator/design.ts'
import { subjectCortices } from '../../src-main/subjects/simulator/experiment.ts'
import { sceneFeatures } from '../../src-main/subjects/simulator/features.ts'
import { drawCeilings, measure, signals, zScoreSessions } from '../../src-main/subjects/simulator/responses.ts'
import { makeVoxels, namedMasks } from '../../src-main/subjects/simulator/voxels.ts'
import type { Voxel, VoxelSet } from '../../src-main/subjects/simulator/voxels.ts'

let cortices: Cortex[]
let set: VoxelSet
beforeAll(() => {
  cortices = subjectCortices(11, 1)
  set = makeVoxels(cortices, new Random(12))
})

const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length

describe('cortex', () => {
  test('icospheres have closed triangles and the vertex counts of FreeSurfer spheres', () => {
    const { directions, faces } = icosphere(4)
    expect(directions.length).toBe(2562)
    expect(faces.length / 3).toBe(2 * directions.length - 4)
    const edges = new Map<string, number>()
    for (let f = 0; f < faces.length; f += 3)
      for (const [i, j] of [[0, 1], [1, 2], [2, 0]]) edges.set(`${faces[f + i]} ${faces[f + j]}`, 1) // prettier-ignore
    for (const edge of edges.keys()) expect(edges.has(edge.split(' ').reverse().join(' '))).toBe(true)
  })

  test('the sheet has its thickness, is folded, and keeps to its side of the midline', () => {
    const { directions } = icosphere(4)
    for (const cortex of cortices) {
      const points = directions.map((u) => cortex.at(u))
      for (const { white, pial } of points) expect(Math.hypot(...subtract(pial, white))).toBeCloseTo(brain.thickness, 6)
      expect(Math.min(...points.map(({ pial }) => pial[0] * cortex.sign))).toBeGreaterThan(-0.5)
      const heights = points.map(({ height }) => height)
      const gyri = heights.filter((h) => h > 0).length / heights.length
      expect(gyri).toBeGreaterThan(0.4)
      expect(gyri).toBeLessThan(0.75)
    }
  })

  test('V1 lies on the medial wall around the calcarine sulcus', () => {
    const [, right] = cortices
    const inV1 = icosphere(5).directions.filter((u) => areaAt(chart(right, u))?.area === 'V1')
    expect(inV1.length).toBeGreaterThan(30)
    expect(mean(inV1.map((u) => right.at(u).inflated[0]))).toBeLessThan(brain.offset)
    expect(mean(inV1.map((u) => right.at(u).inflated[1]))).toBeLessThan(-60)
    expect(mean(inV1.map((u) => right.at(u).height))).toBeLessThan(0)
  })
})

describe('voxels', () => {
  test('fill every area of both hemispheres, in the order of the volume', () => {
    expect(set.voxels.length).toBeGreaterThan(2000)
    expect(set.voxels.length).toBeLessThan(3500)
    const masks = namedMasks(set.voxels)
    const count = (name: string): number => masks.find((m) => m.name === name)?.mask.reduce((a, b) => a + b, 0) ?? 0
    expect(areaNames.reduce((sum, name) => sum + count(name), 0)).toBe(set.voxels.length)
    for (const name of areaNames)
      for (const hemisphere of ['left', 'right'])
        expect(set.voxels.filter((v) => v.area === name && v.hemisphere === hemisphere).length).toBeGreaterThan(40)
    for (const name of ['FFA', 'PPA', 'EBA']) expect(count(name)).toBeGreaterThan(30)
    expect(count('FFA') + count('PPA')).toBeLessThan(count('ventral'))
    set.voxels.forEach((voxel, v) => {
      if (v) expect(voxel.index).toBeGreaterThan(set.voxels[v - 1].index)
    })
  })

  test('index and affine give the position in mm', () => {
    const { shape, affine } = set.grid
    for (const { index, position, hemisphere } of set.voxels) {
      const ijk = [Math.floor(index / (shape[1] * shape[2])), Math.floor(index / shape[2]) % shape[1], index % shape[2]]
      for (let axis = 0; axis < 3; axis++) {
        const mm = affine[axis * 4 + 3] + ijk.reduce((sum, i, c) => sum + affine[axis * 4 + c] * i, 0)
        expect(mm).toBeCloseTo(position[axis], 6)
      }
      expect(Math.sign(position[0])).toBe(hemisphere === 'right' ? 1 : -1)
    }
  })
})

describe('responses', () => {
  test('a patch in the lower left field drives the upper bank of the right V1 most, and so on around', () => {
    /** Grey with a checkerboard patch around (x, y) degrees. */
    const patch = (x: number, y: number) => {
      const data = new Uint8Array(64 * 64 * 3).fill(128)
      const [cx, cy] = [32 + (x * 64) / 8.4, 32 - (y * 64) / 8.4]
      for (let i = 0; i < 64 * 64; i++) {
        const [px, py] = [i % 64, Math.floor(i / 64)]
        if (Math.hypot(px - cx, py - cy) < 9) data.fill((px >> 2) % 2 === (py >> 2) % 2 ? 230 : 30, 3 * i, 3 * i + 3)
      }
      return sceneFeatures({ objects: [], background: 0 }, { data, width: 64, height: 64, channels: 3 })
    }
    const corners = [
      { x: -1.8, y: -1.8, hemisphere: 'right', quarter: 'dorsal' },
      { x: 1.8, y: -1.8, hemisphere: 'left', quarter: 'dorsal' },
      { x: -1.8, y: 1.8, hemisphere: 'right', quarter: 'ventral' },
      { x: 1.8, y: 1.8, hemisphere: 'left', quarter: 'ventral' },
    ] as const
    const signal = signals(
      set.voxels,
      corners.map(({ x, y }) => patch(x, y)),
      new Random(1),
    )
    const V = set.voxels.length
    corners.forEach((shown, image) => {
      const drive = corners.map(({ hemisphere, quarter }) =>
        mean(
          set.voxels.flatMap((v: Voxel, i) =>
            v.area === 'V1' && v.hemisphere === hemisphere && v.quarter === quarter ? [signal[image * V + i]] : [],
          ),
        ),
      )
      expect(drive.indexOf(Math.max(...drive)), `${shown.hemisphere} ${shown.quarter}: ${drive.join(' ')}`).toBe(image)
    })
  })

  test('repeats give back the noise ceiling that was drawn, in spite of session drift', () => {
    const design = makeDesign(500, new Random(2))
    const voxels = set.voxels.filter((_, i) => i % 12 === 0)
    const V = voxels.length
    const images = design.shared + design.own
    const random = new Random(3)
    // Any signal of mean 0 and SD 1 will do here.
    const signal = Float32Array.from({ length: images * V }, () => random.normal())
    const ceilings = drawCeilings(voxels, random)
    const raw = measure(design, voxels, signal, ceilings, random)
    const scored = zScoreSessions(design, raw, V)
    const noise = new Float64Array(V)
    const all = trialsByColumn(design)
    for (const trials of all)
      for (let v = 0; v < V; v++) {
        const values = trials.map((t) => scored[t * V + v])
        noise[v] += values.reduce((sum, x) => sum + (x - mean(values)) ** 2, 0) / (values.length - 1) / all.length
      }
    const estimated = [...noise].map((n) => 1 - n)
    expect(mean(estimated)).toBeCloseTo(mean([...ceilings]), 1)
    const errors = estimated.map((e, v) => Math.abs(e - ceilings[v]))
    expect(mean(errors)).toBeLessThan(0.04)
    expect(Math.max(...errors)).toBeLessThan(0.15)

    // As in NSD: many poor voxels, good ones near .3
    const sorted = drawCeilings(set.voxels, new Random(4)).sort()
    expect(sorted[Math.floor(sorted.length / 4)]).toBeLessThan(0.1)
    expect(sorted[Math.floor(0.75 * sorted.length)]).toBeGreaterThan(0.25)
    expect(sorted[Math.floor(0.75 * sorted.length)]).toBeLessThan(0.4)

    // Drift is there: raw session means differ by more than chance.
    const sessionMeans = Array.from({ length: design.sessionCount }, (_, s) => {
      const { start, stop } = sessionRange(design, s)
      return mean(Array.from({ length: stop - start }, (_, t) => raw[(start + t) * V]))
    })
    const spread = Math.max(...sessionMeans) - Math.min(...sessionMeans)
    expect(spread).toBeGreaterThan(0.3)
  })

  test('every image is shown three times; runs lie within sessions', () => {
    const design = makeDesign(60, new Random(2))
    expect(design.shared).toBe(12)
    expect(trialsByColumn(design).every((trials) => trials.length === designConstants.repeats)).toBe(true)
    expect(sessionRange(design, design.sessionCount - 1).stop).toBe(design.trialCount)
    for (let t = 1; t < design.trialCount; t++) {
      const [before, now] = [t - 1, t].map((i) => design.session[i] * designConstants.runs + design.run[i])
      expect(now - before === 0 || now - before === 1).toBe(true)
    }
  })
})
