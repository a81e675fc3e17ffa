import { describe, expect, it } from 'vitest'
import { Random } from '../../src-main/nn/random.ts'
import { noiseCeiling } from '../../src-main/subjects/noiseCeiling.ts'
import { trialTable } from './support.ts'

/** Betas of `images` pictures shown `repeats` times: signal of variance `s`, noise of variance 1 - s, by voxel; sessions shift and stretch them. */
function study(images: number, repeats: number, signal: number[], drift = 0) {
  const random = new Random(11)
  const V = signal.length
  const seen = Array.from({ length: images * V }, () => random.normal())
  const stimulus: number[] = []
  const session: number[] = []
  const rows: number[][] = []
  for (let r = 0; r < repeats; r++)
    for (let i = 0; i < images; i++) {
      stimulus.push(i)
      session.push(r)
      rows.push(
        signal.map((s, v) => {
          const z = Math.sqrt(s) * seen[i * V + v] + Math.sqrt(1 - s) * random.normal()
          return (z + drift * r) * (1 + drift * r)
        }),
      )
    }
  const trials = trialTable({ stimulus, session })
  const read = (wanted: number[]) => Float32Array.from(wanted.flatMap((row) => rows[row]))
  return { trials, V, read, rows }
}

describe('noise ceiling', () => {
  const signal = [0, 0.2, 0.5, 0.9]

  it('finds the share of variance that the mean of the repeats could explain', () => {
    const { trials, V, read } = study(3000, 3, signal)
    const { perVoxel, summary } = noiseCeiling(trials, V, read)!
    // signal / (signal + noise / 3)
    ;[0, 0.4286, 0.75, 0.9643].forEach((expected, v) => expect(Math.abs(perVoxel[v] - expected)).toBeLessThan(0.04))
    expect(summary).toMatchObject({ stimuliWithRepeats: 3000 })
    expect(summary.repeats).toBeCloseTo(3)
    expect(summary.best).toBeCloseTo(perVoxel[3])
  })

  it('does not mistake the drift between sessions for noise', () => {
    const still = study(500, 3, signal)
    const drifting = study(500, 3, signal, 2)
    const [a, b] = [still, drifting].map(({ trials, V, read }) => noiseCeiling(trials, V, read)!.perVoxel)
    a.forEach((ceiling, v) => expect(Math.abs(ceiling - b[v])).toBeLessThan(1e-5))
  })

  it('equals the formula written out for images shown different numbers of times', () => {
    const betas = [1, 3, 2, 8, 6, 5, 9, 4]
    const stimulus = [0, 0, 0, 1, 1, 2, 2, 3]
    const trials = trialTable({ stimulus })
    const { perVoxel } = noiseCeiling(trials, 1, (rows) => Float32Array.from(rows, (row) => betas[row]))!
    const mean = 4.75
    const total = betas.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 7
    // within images: {1,3,2} 2, {8,6} 2, {5,9} 8, over 2 + 1 + 1 degrees of freedom
    const noise = (2 + 2 + 8) / 4 / total
    const perShowing = (1 / 3 + 1 / 2 + 1 / 2) / 3
    expect(perVoxel[0]).toBeCloseTo((1 - noise) / (1 - noise + noise * perShowing), 6)
  })

  it('is 0 for a constant voxel and absent without repeats', () => {
    const flat = noiseCeiling(trialTable({ stimulus: [0, 0, 1, 1] }), 1, (rows) =>
      new Float32Array(rows.length).fill(5),
    )
    expect([...flat!.perVoxel]).toEqual([0])
    expect(noiseCeiling(trialTable({ stimulus: [0, 1, 2] }), 1, (rows) => new Float32Array(rows.length))).toBeNull()
  })
})
