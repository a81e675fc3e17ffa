import { beforeAll, describe, expect, test } from 'vitest'
import { join } from 'node:path'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { best, choose, cosine } from '../../src-main/reconstruction/choose.ts'
import { pictureTensor } from '../../src-main/reconstruction/pixels.ts'
import type { FloatPicture } from '../../src-main/reconstruction/sets.ts'
import { Random } from '../../src-main/nn/random.ts'
import { numbersOf } from '../../src-main/nn/numbers.ts'
import { ClipEncoder } from '../../src-main/training/clipEncoder.ts'
import { fixtureCases } from '../support/fixtures.ts'

beforeAll(() => loadBackend())

const random = new Random(3)
const picture = (): FloatPicture => ({
  ...{ height: 40, width: 40 },
  data: Float32Array.from({ length: 4800 }, () => random.uniform()),
})

describe('the choice among candidates', () => {
  test('takes the highest score, the first of equals, and never what is no number', () => {
    expect(best([0.1, 0.3, 0.3])).toBe(1)
    expect(best([NaN, -1, NaN, -0.5])).toBe(3)
    expect(best([2])).toBe(0)
    expect(cosine(Float32Array.of(3, 4), Float32Array.of(4, 3))).toBeCloseTo(24 / 25, 6)
  })

  test('compares all tokens of each candidate with those from the brain', () => {
    const [fixture] = fixtureCases('hf_models', (name) => name === 'clip_vision_p8')
    const encoder = new ClipEncoder(join(fixture.folder, fixture.config.folder as string))
    const candidates = [picture(), picture(), picture()]
    const own = candidates.map((one) => numbersOf(() => encoder.embed(pictureTensor([one]))))
    for (const [i, embedding] of own.entries()) {
      const { chosen, scores } = choose(encoder, candidates, embedding)
      expect(chosen).toBe(i)
      for (const [j, score] of scores.entries()) expect(score).toBeCloseTo(cosine(own[j], embedding), 5)
      expect(scores[i]).toBeCloseTo(1, 5)
    }
    encoder.dispose()
  })
})
