import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'

beforeAll(() => loadBackend())

describe('Parameter', () => {
  it('takes in slices what is kept in another order', () => {
    const [outputs, inputs] = [5, 1 << 20] // more than the 16 MB that cross at once
    const parameters = new Parameters()
    const parameter = parameters.add('w', [outputs, inputs], { constant: 0 }, { layout: [1, 0] })
    const counts: number[] = []
    parameter.upload('value', (start, count) => {
      counts.push(count)
      return Float32Array.from({ length: count * inputs }, (_, i) => start * inputs + i)
    })
    expect(counts).toEqual([4, 1])
    const value = parameter.value()
    expect(value.shape).toEqual([inputs, outputs])
    const kept = value.dataSync()
    for (const [input, output] of [
      [0, 0],
      [0, 4],
      [77, 3],
      [inputs - 1, 4],
    ])
      // prettier-ignore
      expect(kept[input * outputs + output]).toBe(output * inputs + input)
    value.dispose()
    parameters.dispose()
  })
})
