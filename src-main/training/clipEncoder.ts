import * as tf from '@tensorflow/tfjs-core'
import { MindEyeError } from '../base/errors.ts'
import type { ClipVision } from '../models/clipVision.ts'
import { clipTokens } from '../models/clipVision.ts'
import type { Pretrained } from '../models/pretrained.ts'
import { loadClipVision } from '../models/pretrained.ts'
import { clipPixels } from './augmentation.ts'
import type { PictureEncoder } from './imageEncoder.ts'

/** Pictures that go through the tower at once: enough to keep all cores busy, few enough for 0.3 GB of activations. */
const BATCH = 8

/**
 * MindEye's image embedding: every token of CLIP's image tower, in units of the class token's length (`ClipVision.embedding`), or
 * the class token alone, then of length 1 (the official 1 x 768 variant).
 */
export class ClipEncoder implements PictureEncoder {
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

  embed(images: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => {
      const parts: tf.Tensor2D[] = []
      for (let at = 0; at < images.shape[0]; at += BATCH)
        parts.push(
          tf.tidy(() => {
            const some = tf.slice(images, [at, 0, 0, 0], [Math.min(BATCH, images.shape[0] - at), -1, -1, -1])
            const { model } = this.tower
            const embedding = model.embedding(clipPixels(some, model.config.image)) // (b, T, D)
            const wanted = tf.slice(embedding, [0, 0, 0], [-1, this.tokens, -1])
            return tf.reshape(wanted, [wanted.shape[0], -1])
          }),
        )
      return tf.concat(parts, 0)
    })
  }

  dispose(): void {
    this.tower.parameters.dispose()
  }
}
