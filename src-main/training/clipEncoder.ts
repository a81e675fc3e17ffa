import * as tf from '@tensorflow/tfjs-core'
import { MindEyeError } from '../base/errors.ts'
import type { ClipVision } from '../models/clipVision.ts'
import { clipTokens } from '../models/clipVision.ts'
import type { Pretrained } from '../models/pretrained.ts'
import { loadClipVision } from '../models/pretrained.ts'
import { numbersOf } from '../nn/numbers.ts'
import { clipPixels } from './augmentation.ts'
import type { ImageEncoder } from './imageEncoder.ts'
import type { ImageTensor } from './images.ts'

/** Pictures that go through the tower at once: enough to keep all cores busy, few enough for 0.3 GB of activations. */
const BATCH = 8

/**
 * MindEye's image embedding: every token of CLIP's image tower, in units of the class token's length (`ClipVision.embedding`), or
 * the class token alone, then of length 1 (the official 1 x 768 variant).
 */
export class ClipEncoder implements ImageEncoder {
  readonly tokens: number
  readonly width: number
  /** Side of the pictures that the tower sees, px. */
  readonly side: number
  private readonly tower: Pretrained<ClipVision>

  /** Loads the tower from a folder or file (see `loadClipVision`). `tokens` is 1, or as many as the tower has (default). */
  constructor(path: string, tokens?: number) {
    this.tower = loadClipVision(path)
    const { config } = this.tower.model
    const all = clipTokens(config)
    this.tokens = tokens ?? all
    this.width = config.projection
    this.side = config.image
    if (this.tokens === 1 || this.tokens === all) return
    this.dispose()
    throw new MindEyeError({
      kind: 'input',
      where: 'tokens',
      expected: `1 or ${all}, which the image tower of ${path} has`,
      found: `${tokens}`,
    })
  }

  /** Pictures (B, H, W, 1 or 3) in [0, 1] of any size → (B, T·D); grey ones count as colour ones with three equal channels. */
  embed(images: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => {
      const parts: tf.Tensor2D[] = []
      for (let at = 0; at < images.shape[0]; at += BATCH)
        parts.push(
          tf.tidy(() => {
            const some = tf.slice(images, [at, 0, 0, 0], [Math.min(BATCH, images.shape[0] - at), -1, -1, -1])
            const coloured = some.shape[3] === 1 ? (tf.tile(some, [1, 1, 1, 3]) as tf.Tensor4D) : some
            const { model } = this.tower
            const embedding = model.embedding(clipPixels(coloured, model.config.image)) // (b, T, D)
            const wanted = tf.slice(embedding, [0, 0, 0], [-1, this.tokens, -1])
            return tf.reshape(wanted, [wanted.shape[0], -1])
          }),
        )
      return tf.concat(parts, 0)
    })
  }

  encode({ count, side, channels, data }: ImageTensor): Float32Array {
    const embeddings = new Float32Array(count * this.tokens * this.width)
    const [from, to] = [side * side * channels, this.tokens * this.width]
    for (let at = 0; at < count; at += BATCH) {
      const some = Math.min(BATCH, count - at)
      const numbers = numbersOf(() =>
        this.embed(tf.tensor4d(data.subarray(at * from, (at + some) * from), [some, side, side, channels])),
      )
      embeddings.set(numbers, at * to)
    }
    return embeddings
  }

  dispose(): void {
    this.tower.parameters.dispose()
  }
}
