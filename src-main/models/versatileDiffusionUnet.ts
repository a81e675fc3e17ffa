import * as tf from '@tensorflow/tfjs-core'
import { activations } from '../nn/activations.ts'
import type { ArrayEntry } from '../formats/array.ts'
import { GroupNorm } from '../nn/groupNorm.ts'
import { Linear } from '../nn/layers.ts'
import type { Parameters } from '../nn/parameters.ts'
import { computeLayer, conv3, stage, upsampler } from './unetBlocks.ts'
import type { Convolution, Layer, StageConfig } from './unetBlocks.ts'
import type { UnetConfig } from './unetConfig.ts'
import type { KeysValues, Transformer } from './unetTransformer.ts'

/** The image path's arrays under their plain names. A UNet saved with dual attention wraps each transformer in a pair, of which 1 is the text's. */
export const imageUnetArrays = (arrays: readonly ArrayEntry[]): ArrayEntry[] =>
  arrays
    .filter(({ name }) => !/\.transformers\.1\./.test(name))
    .map((array) => ({
      name: array.name.replace('.transformers.0.', '.'),
      dtype: array.dtype,
      shape: array.shape,
      read: () => array.read(),
      readRows: (start, stop) => array.readRows(start, stop),
    }))

/** Keys and values of one context for every transformer, to be used at each step of a sampler. */
export class PreparedContext {
  readonly byTransformer: ReadonlyMap<Transformer, KeysValues>

  constructor(byTransformer: ReadonlyMap<Transformer, KeysValues>) {
    this.byTransformer = byTransformer
  }

  dispose(): void {
    for (const { keys, values } of this.byTransformer.values()) tf.dispose([keys, values])
  }
}

/** A stage of the way down or up, with the convolution that changes the map's size. */
interface Stage {
  layers: readonly Layer[]
  resize?: Pick<Convolution, 'compute'>
}

const MAX_PERIOD = 10_000

/**
 * The noise predictor of Versatile Diffusion's image path (arXiv 2211.08332; `UNet2DConditionModel` of diffusers 0.13, whose parameter
 * names these are), which has the shape of Stable Diffusion 1's. MindEye runs the dual-guided pipeline with mix 0, where text has no
 * effect: the context here is the image tokens alone. Inference only.
 */
export class VersatileDiffusionUnet {
  readonly config: UnetConfig
  private readonly convIn: Convolution
  private readonly time1: Linear
  private readonly time2: Linear
  private readonly down: readonly Stage[]
  private readonly middle: readonly Layer[]
  private readonly up: readonly Stage[]
  private readonly normOut: GroupNorm
  private readonly convOut: Convolution

  constructor(parameters: Parameters, config: UnetConfig) {
    const { inputs, outputs, channels, attends, heads, layers, contextWidth, groups, eps, linearProjection } = config
    const last = channels.length - 1
    const [finest, coarsest] = [channels[0], channels[last]]
    const timeWidth = 4 * finest
    const shared = (i: number): StageConfig => ({
      ...{ halvings: i, timeWidth, groups, eps, contextWidth, linearProjection, heads: heads[i] },
    })
    this.config = config
    this.convIn = conv3(parameters, 'conv_in', [inputs, finest], 0)
    this.time1 = new Linear(parameters, 'time_embedding.linear_1', finest, timeWidth)
    this.time2 = new Linear(parameters, 'time_embedding.linear_2', timeWidth, timeWidth)

    const skips = [finest] // channels of the maps that the way up takes in, last first
    this.down = channels.map((width, i) => {
      const sizes = Array.from({ length: layers }, (_, j) => [j ? width : channels[Math.max(0, i - 1)], width] as const)
      const name = `down_blocks.${i}`
      skips.push(...sizes.map(() => width), ...(i < last ? [width] : []))
      return {
        layers: stage(parameters, name, sizes, attends[i] ? layers : 0, shared(i)),
        resize: i < last ? conv3(parameters, `${name}.downsamplers.0.conv`, [width, width], i + 1, 2) : undefined,
      }
    })
    const straight = [coarsest, coarsest] as const
    this.middle = stage(parameters, 'mid_block', [straight, straight], 1, shared(last))
    let from = coarsest
    this.up = channels.map((_, j) => {
      const i = last - j
      const [width, name] = [channels[i], `up_blocks.${j}`]
      const sizes = Array.from({ length: layers + 1 }, () => {
        const size = [from + skips.pop()!, width] as const
        from = width
        return size
      })
      return {
        layers: stage(parameters, name, sizes, attends[i] ? layers + 1 : 0, shared(i)),
        resize: i > 0 ? upsampler(parameters, `${name}.upsamplers.0.conv`, width, i - 1) : undefined,
      }
    })
    this.normOut = new GroupNorm(parameters, 'conv_norm_out', finest, { groups, eps, activation: 'silu' })
    this.convOut = conv3(parameters, 'conv_out', [finest, outputs], 0)
  }

  /** Computes once what all steps of a sampler need of their context (B, n, contextWidth). Dispose it after the last step. */
  prepareContext(context: tf.Tensor3D): PreparedContext {
    const layers = [...this.down, { layers: this.middle }, ...this.up].flatMap((part) => part.layers)
    const transformers = layers.flatMap(({ transformer }) => transformer ?? [])
    const byTransformer = new Map<Transformer, KeysValues>()
    tf.tidy(() => {
      for (const transformer of transformers) {
        const { keys, values } = transformer.keysValues(context)
        byTransformer.set(transformer, { keys: tf.keep(keys), values: tf.keep(values) })
      }
    })
    return new PreparedContext(byTransformer)
  }

  /**
   * Latents (B, h, w, inputs), their timestep (one for all or one each, 0 to 999) and context (B, n, contextWidth) → predicted noise
   * (B, h, w, outputs). h and w are multiples of 2 to the number of stages less one.
   */
  forward(
    latents: tf.Tensor4D,
    timestep: number | readonly number[],
    context: tf.Tensor3D | PreparedContext,
  ): tf.Tensor4D {
    if (context instanceof tf.Tensor) {
      const prepared = this.prepareContext(context)
      try {
        return this.forward(latents, timestep, prepared)
      } finally {
        prepared.dispose()
      }
    }
    return tf.tidy(() => {
      const time = this.timeEmbedding(typeof timestep === 'number' ? [timestep] : timestep)
      const compute = (layer: Layer, x: tf.Tensor4D) => computeLayer(layer, x, time, context.byTransformer)
      let x = this.convIn.compute(latents)
      const skips = [x]
      const become = (next: tf.Tensor4D) => {
        if (!skips.includes(x)) x.dispose()
        x = next
      }
      for (const { layers, resize } of this.down) {
        for (const layer of layers) skips.push((x = compute(layer, x)))
        if (resize) skips.push((x = resize.compute(x)))
      }
      for (const layer of this.middle) become(compute(layer, x))
      for (const { layers, resize } of this.up) {
        for (const layer of layers) {
          const skip = skips.pop()!
          become(tf.concat([x, skip], 3))
          skip.dispose()
          become(compute(layer, x))
        }
        if (resize) become(resize.compute(x))
      }
      return this.convOut.compute(this.normOut.compute(x) as tf.Tensor4D)
    })
  }

  /** SiLU of the embedding of timesteps: (n, 4 · finest channels). Every use of it begins with that SiLU. */
  private timeEmbedding(timesteps: readonly number[]): tf.Tensor2D {
    const { channels, cosineFirst, frequencyShift } = this.config
    const half = Math.floor(channels[0] / 2)
    const exponent = -Math.log(MAX_PERIOD) / (half - frequencyShift)
    // In single precision like the original: at step 999 its rounding shows.
    const angle = (t: number, i: number) => Math.fround(t * Math.fround(Math.exp(Math.fround(exponent * i))))
    const angles = tf.tensor2d(timesteps.map((t) => Array.from({ length: half }, (_, i) => angle(t, i))))
    const waves = [tf.sin(angles), tf.cos(angles)]
    const silu = (layer: Linear, x: tf.Tensor) => activations.silu.of(layer.compute(x)) as tf.Tensor2D
    return silu(this.time2, silu(this.time1, tf.concat(cosineFirst ? waves.reverse() : waves, 1)))
  }
}
