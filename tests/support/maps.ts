import * as tf from '@tensorflow/tfjs-core'

interface Recorded {
  shape: number[]
  data: Float32Array
}

/** A recorded map (B, C, H, W) as ours, (B, H, W, C). */
export const channelsLast = ({ data, shape }: Recorded): tf.Tensor4D =>
  tf.tidy(() => tf.transpose(tf.tensor4d(data, shape as [number, number, number, number]), [0, 2, 3, 1]))

/** The numbers of our map (B, H, W, C) in the recorded order, (B, C, H, W). */
export const channelsFirst = (map: tf.Tensor): Float32Array => tf.transpose(map, [0, 3, 1, 2]).dataSync<'float32'>()
