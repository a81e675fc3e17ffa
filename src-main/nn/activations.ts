import * as tf from '@tensorflow/tfjs-core'
import { reluGradient, sigmoidGradient } from './raw.ts'

/** An activation with its derivative. */
export interface Activation {
  of(z: tf.Tensor): tf.Tensor
  /** dL/dz from dL/da. */
  backward(da: tf.Tensor, z: tf.Tensor): tf.Tensor
}

/** Φ(z), the normal distribution function. */
const normalCdf = (z: tf.Tensor) => tf.mul(tf.add(tf.erf(tf.mul(z, Math.SQRT1_2)), 1), 0.5)

export const activations = {
  none: { of: (z) => z, backward: (da) => da },
  /** z Φ(z), the exact form. */
  gelu: {
    of: (z) => tf.mul(z, normalCdf(z)),
    backward: (da, z) => {
      const density = tf.mul(tf.exp(tf.mul(tf.square(z), -0.5)), 1 / Math.sqrt(2 * Math.PI))
      return tf.mul(da, tf.add(normalCdf(z), tf.mul(z, density)))
    },
  },
  /** z σ(z), also called swish. */
  silu: {
    of: (z) => tf.mul(z, tf.sigmoid(z)),
    backward: (da, z) => {
      const gate = tf.sigmoid(z)
      return tf.mul(da, tf.add(gate, sigmoidGradient(gate, z)))
    },
  },
  /** z σ(1.702 z), OpenAI's approximation of GELU. */
  quickGelu: {
    of: (z) => tf.mul(z, tf.sigmoid(tf.mul(z, 1.702))),
    backward: (da, z) => {
      const gate = tf.sigmoid(tf.mul(z, 1.702))
      return tf.mul(da, tf.add(gate, tf.mul(sigmoidGradient(gate, z), 1.702)))
    },
  },
  relu: { of: (z) => tf.relu(z), backward: (da, z) => reluGradient(z, da) },
} satisfies Record<string, Activation>

export type ActivationName = keyof typeof activations
