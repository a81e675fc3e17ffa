import * as tf from '@tensorflow/tfjs-core'
import type { ArrayEntry } from '../formats/array.ts'
import { attend } from '../nn/attention.ts'
import { Conv2d } from '../nn/conv.ts'
import { GroupNorm, NormedConv2d } from '../nn/groupNorm.ts'
import { Linear } from '../nn/layers.ts'
import type { Parameters } from '../nn/parameters.ts'
import { sum } from '../nn/tape.ts'
import { UpsampledConv2d } from '../nn/upsample.ts'

/*
 * The blocks of the autoencoders of latent diffusion (arXiv 2112.10752), under the names that diffusers 0.13 publishes. Maps are
 * (B, H, W, C).
 */

/** What all norms of one autoencoder share. */
export interface BlockNorm {
  groups: number
  eps: number
}

export interface Block {
  /** Only a first layer takes an anchor. */
  forward(x: tf.Tensor, anchor?: tf.Scalar): tf.Tensor
}

/** One after the other, the first with the anchor; off the tape each map is freed as soon as the next is there. */
export function through(x: tf.Tensor, blocks: readonly Block[], anchor?: tf.Scalar): tf.Tensor {
  return tf.tidy(() => {
    let map = x
    for (const block of blocks) {
      const next = block.forward(map, map === x ? anchor : undefined)
      if (map !== x) map.dispose()
      map = next
    }
    return map
  })
}

const normedConv = (parameters: Parameters, name: string, part: number, from: number, to: number, norm: BlockNorm) =>
  new NormedConv2d(
    new GroupNorm(parameters, `${name}.norm${part}`, from, { ...norm, activation: 'silu' }),
    new Conv2d(parameters, `${name}.conv${part}`, from, to, { kernel: 3, padding: 1 }),
  )

/** ResnetBlock2D without a time embedding: (B, H, W, from) → (B, H, W, to). */
class ResnetBlock implements Block {
  private readonly parts: readonly NormedConv2d[]
  private readonly shortcut: Conv2d | undefined

  constructor(parameters: Parameters, name: string, from: number, to: number, norm: BlockNorm) {
    this.parts = [normedConv(parameters, name, 1, from, to, norm), normedConv(parameters, name, 2, to, to, norm)]
    if (from !== to) this.shortcut = new Conv2d(parameters, `${name}.conv_shortcut`, from, to, { kernel: 1 })
  }

  forward(x: tf.Tensor): tf.Tensor {
    return tf.tidy(() => sum(this.shortcut?.forward(x) ?? x, through(x, this.parts)))
  }
}

/** Self-attention over all positions of a map, one head: AttentionBlock of diffusers up to 0.16, Attention since. */
class AttentionBlock implements Block {
  private readonly norm: GroupNorm
  private readonly query: Linear
  private readonly key: Linear
  private readonly value: Linear
  private readonly projection: Linear

  constructor(parameters: Parameters, name: string, channels: number, norm: BlockNorm) {
    const linear = (part: string) => new Linear(parameters, `${name}.${part}`, channels, channels)
    this.norm = new GroupNorm(parameters, `${name}.group_norm`, channels, norm)
    this.query = linear('query')
    this.key = linear('key')
    this.value = linear('value')
    this.projection = linear('proj_attn')
  }

  forward(x: tf.Tensor): tf.Tensor {
    return tf.tidy(() => {
      const [batch, height, width, channels] = x.shape
      const h = tf.reshape(this.norm.forward(x), [batch, height * width, channels])
      const mixed = attend(this.query.forward(h), this.key.forward(h), this.value.forward(h))
      return sum(x, tf.reshape(this.projection.forward(mixed), x.shape))
    })
  }
}

/** UNetMidBlock2D: resnet, attention, resnet. */
function midBlock(parameters: Parameters, name: string, channels: number, norm: BlockNorm): Block[] {
  const resnet = (i: number) => new ResnetBlock(parameters, `${name}.resnets.${i}`, channels, channels, norm)
  return [resnet(0), new AttentionBlock(parameters, `${name}.attentions.0`, channels, norm), resnet(1)]
}

function resnets(parameters: Parameters, name: string, from: number, to: number, count: number, norm: BlockNorm) {
  return Array.from(
    { length: count },
    (_, i) => new ResnetBlock(parameters, `${name}.resnets.${i}`, i ? to : from, to, norm),
  )
}

export interface CoderSizes {
  /** Channels of the maps that go in and of what comes out. */
  inputs: number
  outputs: number
  /** Channels of each resolution, finest first. */
  channels: readonly number[]
  /** Resnets of an encoder's block; a decoder's block has one more. */
  layers: number
  norm: BlockNorm
}

const edge = { kernel: 3, padding: 1 }

/** Decoder: (B, h, w, inputs) → (B, h·2ⁿ, w·2ⁿ, outputs), n = channels.length − 1. */
export function decoder(parameters: Parameters, name: string, sizes: CoderSizes): Block[] {
  const { inputs, outputs, layers, norm } = sizes
  const channels = sizes.channels.toReversed()
  const last = channels.length - 1
  const blocks: Block[] = [
    new Conv2d(parameters, `${name}.conv_in`, inputs, channels[0], edge),
    ...midBlock(parameters, `${name}.mid_block`, channels[0], norm),
  ]
  for (const [i, to] of channels.entries()) {
    const block = `${name}.up_blocks.${i}`
    blocks.push(...resnets(parameters, block, channels[Math.max(0, i - 1)], to, layers + 1, norm))
    if (i < last) blocks.push(new UpsampledConv2d(parameters, `${block}.upsamplers.0.conv`, to, to))
  }
  blocks.push(lastConv(parameters, name, channels[last], outputs, norm))
  return blocks
}

/** Encoder: (B, H, W, inputs) → (B, H / 2ⁿ, W / 2ⁿ, outputs), n = channels.length − 1. */
export function encoder(parameters: Parameters, name: string, sizes: CoderSizes): Block[] {
  const { inputs, outputs, channels, layers, norm } = sizes
  const last = channels.length - 1
  const blocks: Block[] = [new Conv2d(parameters, `${name}.conv_in`, inputs, channels[0], edge)]
  for (const [i, to] of channels.entries()) {
    const block = `${name}.down_blocks.${i}`
    blocks.push(...resnets(parameters, block, channels[Math.max(0, i - 1)], to, layers, norm))
    if (i < last) {
      const padding = [[0, 1], [0, 1]] as const // prettier-ignore
      blocks.push(new Conv2d(parameters, `${block}.downsamplers.0.conv`, to, to, { kernel: 3, stride: 2, padding }))
    }
  }
  blocks.push(...midBlock(parameters, `${name}.mid_block`, channels[last], norm))
  blocks.push(lastConv(parameters, name, channels[last], outputs, norm))
  return blocks
}

const lastConv = (parameters: Parameters, name: string, from: number, to: number, norm: BlockNorm) =>
  new NormedConv2d(
    new GroupNorm(parameters, `${name}.conv_norm_out`, from, { ...norm, activation: 'silu' }),
    new Conv2d(parameters, `${name}.conv_out`, from, to, edge),
  )

const oldNames: Record<string, string> = { to_q: 'query', to_k: 'key', to_v: 'value', 'to_out.0': 'proj_attn' }

/**
 * The arrays of an autoencoder's file under our names: diffusers since 0.17 calls the parts of attention to_q, to_k, to_v and to_out.0, and
 * the oldest files hold them as 1x1 convolutions (C, C, 1, 1). What is neither stays as it is.
 */
export function withOldAttentionNames(arrays: readonly ArrayEntry[]): ArrayEntry[] {
  return arrays.map((array) => {
    const match = /^(.*\battentions\.\d+\.)(to_q|to_k|to_v|to_out\.0|query|key|value|proj_attn)(\.\w+)$/.exec(
      array.name,
    )
    if (!match) return array
    const [, before, part, after] = match
    const name = `${before}${oldNames[part] ?? part}${after}`
    const squeezed = array.shape.length === 4 && array.shape[2] === 1 && array.shape[3] === 1
    const inner = (shape: number[]) => (squeezed ? shape.slice(0, 2) : shape)
    return {
      name,
      dtype: array.dtype,
      shape: inner(array.shape),
      read: () => ({ ...array.read(), shape: inner(array.shape) }),
      readRows: (start, stop) => {
        const rows = array.readRows(start, stop)
        return { ...rows, shape: inner(rows.shape) }
      },
    }
  })
}
