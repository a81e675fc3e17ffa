import { describe, expect, it } from 'vitest'
import { exchangeBlocks, meanInterval, meansByImage, pairingTest } from '../../src-main/evaluation/pairing.ts'
import { Random } from '../../src-main/nn/random.ts'

const identity = (n: number) => Int32Array.from({ length: n }, (_, i) => i)

describe('the permutation test against other images', () => {
  it('cuts all images into blocks that are not larger than 16 and nearly equal', () => {
    const blocks = exchangeBlocks(50, new Random(1))
    expect(blocks.map((block) => block.length)).toEqual([12, 13, 12, 13])
    expect([...blocks.flatMap((block) => [...block])].sort((a, b) => a - b)).toEqual([...identity(50)])
    expect(exchangeBlocks(2, new Random(1)).map((block) => block.length)).toEqual([2])
  })

  it('gives the share of exchanges that do as well, the true pairing among them', () => {
    // Of the six orders of three images only the true one reaches the sum of the diagonal.
    const table = [3, 0, 1, 1, 3, 0, 0, 1, 3]
    const value = (image: number, recon: number) => table[image * 3 + recon]
    const { p, chance } = pairingTest(value, identity(3), [identity(3)], 'higher', new Random(2))
    expect(p).toBeGreaterThan(1 / 6 - 0.015)
    expect(p).toBeLessThan(1 / 6 + 0.015)
    expect(chance).toBeCloseTo(0.5, 12) // mean off the diagonal
    // The lower the better: nothing does worse than the true pairing, so every exchange does as well.
    expect(pairingTest(value, identity(3), [identity(3)], 'lower', new Random(2)).p).toBe(1)
  })

  it('counts equal sums as equal, however they round', () => {
    const value = () => 0.1
    expect(pairingTest(value, identity(9), [identity(9)], 'higher', new Random(2)).p).toBe(1)
  })

  it('exchanges reconstructions of one image together', () => {
    // Two images with five reconstructions each: only two exchanges exist, so p cannot be below a half.
    const own = Int32Array.from({ length: 10 }, (_, i) => i % 2)
    const value = (image: number, recon: number) => (own[recon] === image ? 1 : 0)
    const { p, chance } = pairingTest(value, own, [identity(2)], 'higher', new Random(2))
    expect(p).toBeGreaterThan(0.48)
    expect(p).toBeLessThan(0.52)
    expect(chance).toBe(0)
  })

  it('is about as often below a level as the level says where nothing is known', () => {
    const random = new Random(7)
    const low = Array.from({ length: 60 }, () => {
      const noise = Float64Array.from({ length: 20 * 20 }, () => random.normal())
      const blocks = exchangeBlocks(20, random)
      return pairingTest(
        (i, j) => noise[i * 20 + j],
        identity(20),
        blocks,
        'higher',
        random.split('p', random.int(1e9)),
      ).p
    }).filter((p) => p < 0.2).length
    expect(low).toBeGreaterThanOrEqual(4) // 12 expected
    expect(low).toBeLessThanOrEqual(22)
  })
})

describe('the interval of a mean', () => {
  it('is wider where reconstructions of one image agree than where all are of images of their own', () => {
    const random = new Random(3)
    const perImage = Float64Array.from({ length: 20 }, () => random.normal())
    const own = Int32Array.from({ length: 100 }, (_, i) => i % 20)
    const values = own.reduce<number[]>((all, image) => [...all, perImage[image]], [])
    const width = ([low, high]: readonly [number, number]) => high - low
    const [clustered, single] = [own, identity(100)].map((of) => width(meanInterval(values, of, new Random(1))))
    expect(clustered / single).toBeGreaterThan(1.8) // √5 where they agree wholly
    expect(clustered / single).toBeLessThan(2.7)
  })

  it('means by image come in the order of the images', () => {
    expect([...meansByImage([1, 2, 3, 5], [7, 2, 7, 4])]).toEqual([2, 5, 2])
  })
})
