import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { ColumnsConv2d } from '../../src-main/nn/columnsConv.ts'
import { Conv2d } from '../../src-main/nn/conv.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { expectClose } from '../support/fixtures.ts'
import { close, normal } from '../support/gradients.ts'

beforeAll(() => loadBackend())

describe('ColumnsConv2d equals Conv2d', () => {
  it.each([
    [1, [2, 5, 4, 3]],
    [1, [1, 1, 1, 3]],
    [2, [2, 6, 4, 3]],
    [2, [1, 5, 7, 3]],
  ])('stride %i, map %j', (stride, shape) => {
    const [ours, plain] = [new Parameters(), new Parameters()]
    const columns = new ColumnsConv2d(ours, 'c', 3, 4, stride)
    const conv = new Conv2d(plain, 'c', 3, 4, { kernel: 3, padding: 1, stride })
    for (const parameters of [ours, plain]) parameters.initialise(new Random(3))
    const x = normal(shape)
    const [y, expected] = [columns.compute(x as never), conv.compute(x)]
    expect(y.shape).toEqual(expected.shape)
    expectClose(y.dataSync(), expected.dataSync(), close, 'value')
  })
})
