/** The demo pack's judge: names the kinds in a scene. It never sees an autoencoded or reconstructed picture while it learns. */
import * as tf from '@tensorflow/tfjs-core'
import { join } from 'node:path'
import { SceneClassifier, sceneClassifierConfig } from '../../src-main/models/sceneClassifier.ts'
import { normalNoise } from '../../src-main/nn/noise.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { kinds } from '../../src-main/subjects/simulator/kinds.ts'
import type { PackPart } from './trainPart.ts'
import type { Scenes } from './world.ts'
import { drawItems, pictureBatch } from './world.ts'
import { writePart } from './writePart.ts'

/** As our own class reads it. */
export const classifierJson = {
  _class_name: 'SceneClassifier',
  image_size: 64,
  block_out_channels: [32, 48, 64, 96, 128, 128],
  norm_num_groups: 8,
  labels: kinds,
}

/** The most that pixels are disturbed by, SD. */
const NOISE = 0.1

/** Cross-entropy of each kind's presence, on pictures with noise of up to `NOISE`. */
export function classifierTraining(
  scenes: Scenes,
  { batch = 48, steps = 1900, json = classifierJson } = {},
): PackPart & { model: SceneClassifier } {
  const parameters = new Parameters()
  const model = new SceneClassifier(parameters, sceneClassifierConfig(json, 'config.json'))
  return {
    ...{ parameters, model, steps, maxLr: 2e-3, weightDecay: 0.02 },
    terms(random, anchor) {
      const items = drawItems(scenes, batch, random)
      const pictures = pictureBatch(scenes, items)
      const deviation = tf.tensor4d(
        items.map(() => NOISE * random.uniform()),
        [batch, 1, 1, 1],
      )
      const disturbed = tf.add(pictures, tf.mul(normalNoise(pictures.shape, random), deviation)) as tf.Tensor4D
      const present = new Float32Array(batch * kinds.length)
      for (const [i, item] of items.entries())
        for (const { kind } of scenes.scenes[item].objects) present[i * kinds.length + kind] = 1
      const logits = model.logits(model.features(disturbed, anchor))
      const truth = tf.tensor2d(present, [batch, kinds.length])
      // −[y log σ(l) + (1−y) log(1−σ(l))] = softplus(l) − y l
      const loss = tf.mean(tf.sum(tf.sub(tf.softplus(logits), tf.mul(truth, logits)), 1)) as tf.Scalar
      return { loss }
    },
    write(pack) {
      writePart(join(pack, 'classifier'), json, parameters, 'model')
    },
  }
}
