import * as tf from '@tensorflow/tfjs-core'
import { setImmediate } from 'node:timers/promises'
import type { RunOptions } from '../base/progress.ts'
import { StudyAutoencoder } from '../models/studyAutoencoder.ts'
import { AdamW } from '../nn/adamw.ts'
import { numbersOf } from '../nn/numbers.ts'
import { Parameters } from '../nn/parameters.ts'
import type { Random } from '../nn/random.ts'
import { oneCycle } from '../nn/schedule.ts'
import { loadModel, saveModel } from '../nn/stateFile.ts'
import type { TrainingConfig } from './fields.ts'
import type { SquareEncoder } from './imageEncoder.ts'
import type { ImageTensor } from './images.ts'
import { augment } from './images.ts'

const BATCH = 64
const MAX_LR = 2e-3

/** The latent means of an autoencoder fitted to the study's training images, divided by their common SD: one token. */
export class StudyEncoder implements SquareEncoder {
  readonly tokens = 1
  readonly width: number
  readonly side: number
  private readonly parameters = new Parameters()
  private readonly model: StudyAutoencoder
  /** Common SD of the training images' latents. */
  private deviation = 1

  constructor(side: number, channels: number, latent: number) {
    this.side = side
    this.width = latent
    this.model = new StudyAutoencoder(this.parameters, { pixels: side * side * channels, latent })
  }

  /** Fits on training images only: summed pixel cross-entropy + `encoderKl` · KL, on augmented copies. */
  async fit(
    images: ImageTensor,
    config: TrainingConfig,
    random: Random,
    { signal, progress }: RunOptions,
  ): Promise<void> {
    const { encoderSteps, encoderKl, encoderShift, encoderRotation, encoderScale } = config
    const range = { shift: encoderShift, rotation: encoderRotation, scale: encoderScale }
    const schedule = oneCycle({ maxLr: MAX_LR, totalSteps: encoderSteps, pctStart: 0.1 })
    const options = { beta2: 0.999, eps: 1e-8, weightDecay: 0.01, decays: (name: string) => !name.includes('bias') }
    const optimizer = new AdamW(this.parameters, options)
    this.parameters.initialise(random)
    const anchor = tf.scalar(0)
    for (let step = 0; step < encoderSteps; step++) {
      const draws = random.split('step', step)
      const chosen = Array.from({ length: BATCH }, () => draws.int(images.count))
      const pictures = tf.tensor2d(augment(images, chosen, range, draws), [BATCH, images.data.length / images.count])
      const noise = tf.tensor2d(
        Float32Array.from({ length: BATCH * this.width }, () => draws.normal()),
        [BATCH, this.width],
      )
      const { lr, beta1 } = schedule(step)
      optimizer.begin(lr, beta1)
      const { value, grad } = tf.valueAndGrad((tracked: tf.Tensor) => {
        const { mean, logVariance } = this.model.encode(pictures, tracked as tf.Scalar)
        const logits = this.model.decode(tf.add(mean, tf.mul(noise, tf.exp(tf.mul(logVariance, 0.5)))))
        // −[x log σ(l) + (1−x) log(1−σ(l))] = softplus(l) − x l
        const pixels = tf.sum(tf.sub(tf.softplus(logits), tf.mul(pictures, logits)))
        const spread = tf.sub(tf.add(tf.exp(logVariance), tf.square(mean)), tf.add(logVariance, 1))
        return tf.div(tf.add(pixels, tf.mul(tf.sum(spread), 0.5 * encoderKl)), BATCH)
      })(anchor)
      optimizer.end()
      progress({
        phase: 'fit the image autoencoder',
        done: step + 1,
        total: encoderSteps,
        values: { loss: value.dataSync()[0] },
      })
      tf.dispose([pictures, noise, value, grad])
      await setImmediate() // lets an abort in
      signal.throwIfAborted()
    }
    anchor.dispose()
    const latents = this.encode(images)
    const mean = latents.reduce((sum, x) => sum + x, 0) / latents.length
    this.deviation = Math.sqrt(latents.reduce((sum, x) => sum + (x - mean) ** 2, 0) / latents.length) || 1
  }

  encode(images: ImageTensor): Float32Array {
    return numbersOf(() => {
      const pictures = tf.tensor2d(images.data, [images.count, images.data.length / images.count])
      return tf.div(this.model.encode(pictures).mean, this.deviation)
    })
  }

  /** Pictures (rows, side² · channels) in [0, 1] of embeddings (rows, width) such as `encode` gives. */
  decode(embeddings: Float32Array): Float32Array {
    return numbersOf(() => {
      const latents = tf.tensor2d(embeddings, [embeddings.length / this.width, this.width])
      return tf.sigmoid(this.model.decode(tf.mul(latents, this.deviation) as tf.Tensor2D))
    })
  }

  save(path: string): void {
    saveModel(path, this.parameters, { deviation: String(this.deviation) })
  }

  load(path: string): void {
    this.deviation = Number(loadModel(path, this.parameters).deviation)
  }

  dispose(): void {
    this.parameters.dispose()
  }
}
