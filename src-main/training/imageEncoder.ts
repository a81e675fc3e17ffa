import type { ImageTensor } from './images.ts'

/** Turns pictures into the embeddings that a decoder is trained to predict. */
export interface ImageEncoder {
  readonly tokens: number
  readonly width: number
  /** (images.count, tokens · width) in C order. */
  encode(images: ImageTensor): Float32Array
  dispose(): void
}
