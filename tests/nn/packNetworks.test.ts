import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { AutoencoderKl, autoencoderConfig } from '../../src-main/models/autoencoderKl.ts'
import { ClipVision, clipVisionConfig } from '../../src-main/models/clipVision.ts'
import { LatentDenoiser, latentDenoiserConfig } from '../../src-main/models/latentDenoiser.ts'
import { SceneClassifier, sceneClassifierConfig } from '../../src-main/models/sceneClassifier.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { expectClose } from '../support/fixtures.ts'
import { expectFiniteDifferences, normal } from '../support/gradients.ts'

beforeAll(() => loadBackend())

/** A network with random weights, and its parameters. */
function made<C, M>(make: (parameters: Parameters, config: C) => M, config: C) {
  const parameters = new Parameters()
  const model = make(parameters, config)
  parameters.initialise(new Random(3))
  return { model, parameters }
}

const clip = clipVisionConfig(
  {
    ...{ hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2, num_attention_heads: 2 },
    ...{ image_size: 8, patch_size: 4, projection_dim: 3 },
  },
  'config.json',
)

describe('ClipVision on the tape', () => {
  it.each(['quick_gelu', 'gelu'] as const)('has gradients that agree with finite differences, %s', (activation) => {
    const { model, parameters } = made((p, c) => new ClipVision(p, c), { ...clip, activation })
    const [pixels, weights] = [normal([2, 8, 8, 3]) as tf.Tensor4D, normal([2, 5, 3])]
    expectFiniteDifferences(parameters, (anchor) =>
      tf.sum(tf.mul(model.forward(pixels, anchor ?? tf.scalar(0)), weights)),
    )
  })

  it('computes what inference divides by the length of the class token', () => {
    const { model } = made((p, c) => new ClipVision(p, c), clip)
    const pixels = normal([3, 8, 8, 3]) as tf.Tensor4D
    const tokens = model.forward(pixels, tf.scalar(0))
    const lengths = tf.norm(tf.slice(tokens, [0, 0, 0], [-1, 1, -1]), 'euclidean', 2, true)
    const expected = tf.div(tokens, lengths).dataSync<'float32'>()
    expectClose(model.embedding(pixels).dataSync(), expected, { atol: 1e-5, rtol: 1e-5 }, 'embedding')
  })
})

const vae = {
  ...{ latent_channels: 2, block_out_channels: [4, 6], layers_per_block: 1, norm_num_groups: 2, patch_size: 2 },
  ...{ in_channels: 3, out_channels: 3 },
}

describe('AutoencoderKl', () => {
  it('has gradients that agree with finite differences', () => {
    const { model, parameters } = made((p, c) => new AutoencoderKl(p, c), autoencoderConfig(vae))
    const images = normal([2, 8, 8, 3]) as tf.Tensor4D
    const weights = [normal([2, 8, 8, 3]), normal([2, 2, 2, 2])].map((w) => tf.mul(w, 0.2)) // a loss of about 1
    expectFiniteDifferences(parameters, (anchor) => {
      const { mean, logVariance } = model.encode(images, anchor)
      const decoded = model.decode(mean)
      return tf.add(tf.sum(tf.mul(decoded, weights[0])), tf.sum(tf.mul(logVariance, weights[1])))
    })
  })

  it('takes squares of pixels as channels, row by row, and puts them back', () => {
    const { model, parameters } = made((p, c) => new AutoencoderKl(p, c), autoencoderConfig(vae))
    expect(parameters.get('encoder.conv_in.weight').shape).toEqual([4, 12, 3, 3])
    const changed = normal([1, 8, 8, 3]).arraySync() as number[][][][]
    const before = model.mode(tf.tensor4d(changed)).dataSync()
    changed[0][7][7] = [9, 9, 9]
    const after = model.mode(tf.tensor4d(changed))
    expect(after.shape).toEqual([1, 2, 2, 2])
    expect([...after.dataSync()]).not.toEqual([...before])
    // The last 12 channels' convolution gives squares of 2 x 2 pixels: a bias of its own for each of them.
    const bias = Float32Array.from({ length: 12 }, (_, i) => i)
    parameters.get('decoder.conv_out.weight').upload('value', (_, count) => new Float32Array(count * 4 * 9))
    parameters.get('decoder.conv_out.bias').upload('value', (start, count) => bias.subarray(start, start + count))
    const decoded = model.decode(tf.zeros([1, 1, 1, 2])).arraySync()
    expect(decoded[0].slice(0, 2).map((row) => row.slice(0, 2))).toEqual([
      [
        [0, 1, 2],
        [3, 4, 5],
      ],
      [
        [6, 7, 8],
        [9, 10, 11],
      ],
    ])
  })

  it('gives each image of a batch what it gives it alone', () => {
    const { model } = made((p, c) => new AutoencoderKl(p, c), autoencoderConfig({ ...vae, patch_size: 1 }))
    const images = normal([260, 32, 32, 3]) as tf.Tensor4D // 256 at once, so two parts
    const together = model.mode(images).dataSync<'float32'>()
    const alone = tf.concat(tf.split(images, 2, 0).map((half) => model.mode(half as tf.Tensor4D)))
    expectClose(together, alone.dataSync<'float32'>(), { atol: 1e-5, rtol: 1e-5 }, 'latents')
  })
})

const denoiser = latentDenoiserConfig(
  {
    ...{ latent_channels: 2, sample_size: 4, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2 },
    ...{ num_attention_heads: 2, num_tokens: 5, token_width: 3 },
  },
  'config.json',
)

describe('LatentDenoiser', () => {
  const latents = () => normal([2, 4, 4, 2]) as tf.Tensor4D

  it('has gradients that agree with finite differences', () => {
    const { model, parameters } = made((p, c) => new LatentDenoiser(p, c), denoiser)
    const [x, tokens] = [latents(), normal([2, 5, 3]) as tf.Tensor3D]
    const weights = tf.mul(normal([2, 4, 4, 2]), 0.2) // a loss of about 1
    expectFiniteDifferences(parameters, (anchor) =>
      tf.sum(tf.mul(model.forward(x, [3, 700], model.condition(tokens, anchor), anchor), weights)),
    )
  })

  it('adds a patch to the places that it covers and the class token to all', () => {
    const { model } = made((p, c) => new LatentDenoiser(p, c), denoiser)
    const places = (token: number) => {
      const tokens = tf.buffer([1, 5, 3])
      tokens.set(1, 0, token, 0)
      const { places } = model.condition(tokens.toTensor() as tf.Tensor3D)
      const perPlace = tf.sum(tf.abs(places), 2).arraySync() as number[][]
      return perPlace[0].flatMap((size, i) => (size > 0 ? [i] : []))
    }
    expect(places(0)).toEqual(Array.from({ length: 16 }, (_, i) => i))
    expect(places(1)).toEqual([0, 1, 4, 5])
    expect(places(4)).toEqual([10, 11, 14, 15])
  })

  it('is not moved by a condition of zeros, and by another it is', () => {
    const { model } = made((p, c) => new LatentDenoiser(p, c), denoiser)
    const x = latents()
    const { whole, places } = model.condition(tf.zeros([2, 5, 3]))
    expect([...whole.dataSync(), ...places.dataSync()].every((n) => n === 0)).toBe(true)
    const out = (tokens: tf.Tensor3D) => [...model.forward(x, [500], model.condition(tokens)).dataSync()]
    expect(out(tf.zeros([2, 5, 3]))).not.toEqual(out(normal([2, 5, 3]) as tf.Tensor3D))
  })

  it('takes one timestep for all as it takes it for each', () => {
    const { model } = made((p, c) => new LatentDenoiser(p, c), denoiser)
    const [x, condition] = [latents(), model.condition(normal([2, 5, 3]) as tf.Tensor3D)]
    const each = model.forward(x, [9, 9], condition).dataSync<'float32'>()
    expectClose(model.forward(x, [9], condition).dataSync(), each, { atol: 1e-6, rtol: 1e-6 }, 'v')
    const other = model.forward(x, [9, 10], condition).dataSync<'float32'>()
    expect([...other.slice(0, 32)]).toEqual([...each.slice(0, 32)])
    expect([...other.slice(32)]).not.toEqual([...each.slice(32)])
  })

  it('refuses heads that do not divide its width, and tokens that do not cover the latent', () => {
    const json = {
      ...{ latent_channels: 2, sample_size: 8, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2 },
      ...{ num_attention_heads: 2, num_tokens: 17, token_width: 3 },
    }
    expect(latentDenoiserConfig(json, 'c').tokens).toBe(17)
    expect(() => latentDenoiserConfig({ ...json, num_attention_heads: 3 }, 'c')).toThrow('a divisor of 8')
    expect(() => latentDenoiserConfig({ ...json, num_tokens: 10 }, 'c')).toThrow('the square of a divisor')
  })
})

describe('SceneClassifier', () => {
  const config = sceneClassifierConfig(
    { image_size: 8, block_out_channels: [4, 6, 6], norm_num_groups: 2, labels: ['a', 'b'] },
    'config.json',
  )

  it('has gradients that agree with finite differences', () => {
    const { model, parameters } = made((p, c) => new SceneClassifier(p, c), config)
    const [images, weights] = [normal([2, 8, 8, 3]) as tf.Tensor4D, normal([2, 2])]
    expectFiniteDifferences(parameters, (anchor) =>
      tf.sum(tf.mul(model.logits(model.features(images, anchor)), weights)),
    )
  })

  it('scores each label between 0 and 1, pictures of any size', () => {
    const { model } = made((p, c) => new SceneClassifier(p, c), config)
    const scores = model.scores(tf.randomUniform([3, 20, 20, 3]))
    expect(scores.shape).toEqual([3, 2])
    expect([...scores.dataSync()].every((score) => score > 0 && score < 1)).toBe(true)
  })
})
