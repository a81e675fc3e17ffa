import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { featureNetworks, preprocess } from '../../src-main/evaluation/metricNetworks.ts'
import type { Preprocessing } from '../../src-main/evaluation/metricNetworks.ts'
import type { FeatureNetwork } from '../../src-main/models/frozenNetwork.ts'
import { numbersOf } from '../../src-main/nn/numbers.ts'
import { expectClose, fixtureCases } from '../support/fixtures.ts'
import { weightArrays } from '../support/parameters.ts'

beforeAll(() => loadBackend())

/** Our names of torchvision's networks. */
const kinds = {
  alexnet: 'alexnet',
  inception_v3: 'inception_v3',
  efficientnet_b1: 'efficientnet_b1',
  resnet50: 'swav',
} as const

interface Config {
  network: keyof typeof kinds
  size: number
  nodes: string[]
  normalize: Omit<Preprocessing, 'size'>
}

/** Whole networks on real sizes: 10 s each on the plain backend, several times that while other tests run. */
const PLAIN_BACKEND_MS = 240_000

const toNchw = (map: () => tf.Tensor4D) => numbersOf(() => tf.transpose(map(), [0, 3, 1, 2]))

function statistics(numbers: Float32Array): Record<string, number> {
  const n = numbers.length
  const mean = numbers.reduce((sum, x) => sum + x, 0) / n
  const std = Math.sqrt(numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n)
  const l2 = Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0))
  return { mean, std, l2, max_abs: numbers.reduce((max, x) => Math.max(max, Math.abs(x)), 0) }
}

describe('metric networks equal the originals', () => {
  it.each(fixtureCases('metrics', (name) => name.startsWith('net_')))(
    '$name',
    ({ config, tensors, weights, notes, stats, tolerances }) => {
      const { network: kind, size, nodes, normalize } = config as unknown as Config
      const network: FeatureNetwork = featureNetworks[kinds[kind]].create()
      network.load(weightArrays(weights), 'weights')
      const before = tf.memory().numTensors
      const pixels = tf.tidy(() => {
        const { data, shape } = tensors.get('image')!
        return preprocess(tf.transpose(tf.tensor4d(data, shape as [number, number, number, number]), [0, 2, 3, 1]), {
          size,
          ...normalize,
        })
      })
      const corner = tensors.get('pixels_corner')!
      const [, rows, columns] = corner.shape
      expectClose(
        toNchw(() => tf.slice(pixels, [0, 0, 0, 0], [1, rows, columns, -1])),
        corner.data,
        tolerances,
        'pixels_corner',
      )

      const features = network.features(pixels)
      expect(Object.keys(features).sort()).toEqual([...nodes].sort())
      for (const node of nodes) {
        const numbers = toNchw(() => features[node])
        if (tensors.has(node)) expectClose(numbers, tensors.get(node)!.data, tolerances, node)
        else {
          const first = tensors.get(`${node}#first256`)!.data
          expectClose(numbers.subarray(0, first.length), first, tolerances, `${node}#first256`)
          const strided = tensors.get(`${node}#strided`)!.data
          const stride = stats[node].stride ?? notes[`${node}#strided`].stride
          const ours = numbers.filter((_, i) => i % stride === 0).subarray(0, strided.length)
          expectClose(ours, strided, tolerances, `${node}#strided`)
        }
        const { atol, rtol } = tolerances
        const found = statistics(numbers)
        for (const name of ['mean', 'std', 'l2', 'max_abs'])
          expect(Math.abs(found[name] - stats[node][name]), `${name} of ${node}`).toBeLessThanOrEqual(
            name === 'l2' ? 10 * rtol * stats[node].l2 : atol + 10 * rtol * stats[node].max_abs,
          )
      }
      tf.dispose([pixels, features])
      expect(tf.memory().numTensors).toBe(before)
      network.dispose()
    },
    PLAIN_BACKEND_MS,
  )
})
