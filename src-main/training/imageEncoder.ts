import type * as tf from '@tensorflow/tfjs-core'
import type { ImageTensor } from './images.ts'

/** Turns pictures into the embeddings that a decoder is trained to predict, tokens · width numbers each. */
interface Embedding {
  readonly tokens: number
  readonly width: number
  dispose(): void
}

/** Sees pictures squared and small: the study's own. */
export interface SquareEncoder extends Embedding {
  /** (images.count, tokens · width) in C order. */
  encode(images: ImageTensor): Float32Array
}

/** A pretrained network, which sees pictures as they are. */
export interface PictureEncoder extends Embedding {
  /** Pictures (B, H, W, 3) in [0, 1] of any size → (B, tokens · width). */
  embed(pictures: tf.Tensor4D): tf.Tensor2D
}

export type ImageEncoder = SquareEncoder | PictureEncoder
