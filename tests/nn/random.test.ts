import { describe, expect, it } from 'vitest'
import { Random } from '../../src-main/nn/random.ts'

const mean = (xs: number[]) => xs.reduce((a, b) => a + b, 0) / xs.length
const variance = (xs: number[]) => mean(xs.map((x) => x * x)) - mean(xs) ** 2
const draw = (n: number, f: () => number) => Array.from({ length: n }, f)

describe('Random', () => {
  it('continues from a saved state', () => {
    const a = new Random(7)
    draw(13, () => a.normal())
    const b = Random.fromState(JSON.parse(JSON.stringify(a.state)) as typeof a.state)
    expect(draw(50, () => b.beta(0.15, 0.15))).toEqual(draw(50, () => a.beta(0.15, 0.15)))
    expect(b.split('x').uniform()).toBe(a.split('x').uniform())
  })

  it('splits into streams that neither coincide nor move the parent', () => {
    const root = new Random(3)
    const before = root.state
    const firsts = new Set(
      draw(
        5000,
        (() =>
          (
            (i = 0) =>
            () =>
              root.split('layer', i++).uniform()
          )())(),
      ),
    )
    expect(firsts.size).toBe(5000)
    expect(root.split('a', 'bc').uniform()).not.toBe(root.split('ab', 'c').uniform())
    expect(root.state).toEqual(before)
    expect(Math.abs(mean([...firsts]) - 0.5)).toBeLessThan(0.015)
  })

  it.each([
    [0.15, 0.15],
    [2, 5],
    [0.5, 3],
  ])('beta(%d, %d) has the right mean and variance', (a, b) => {
    const random = new Random(11)
    const xs = draw(40_000, () => random.beta(a, b))
    expect(mean(xs)).toBeCloseTo(a / (a + b), 2)
    expect(variance(xs)).toBeCloseTo((a * b) / ((a + b) ** 2 * (a + b + 1)), 2)
    expect(xs.every((x) => x >= 0 && x <= 1)).toBe(true)
  })

  it('normal and permutation', () => {
    const random = new Random(5)
    const xs = draw(40_000, () => random.normal())
    expect(Math.abs(mean(xs))).toBeLessThan(0.02)
    expect(variance(xs)).toBeCloseTo(1, 1)
    expect([...random.permutation(100)].sort((a, b) => a - b)).toEqual(
      draw(
        100,
        (() =>
          (
            (i = 0) =>
            () =>
              i++
          )())(),
      ),
    )
  })
})
