import * as tf from '@tensorflow/tfjs-core'
import { numbersOf } from '../nn/numbers.ts'
import { Parameters } from '../nn/parameters.ts'
import { loadModel } from '../nn/stateFile.ts'
import type { RunPlace } from '../retrieval/repeats.ts'
import { foldFiles } from '../training/foldFiles.ts'
import { foldFolder } from '../training/foldTest.ts'
import { createHighLevel } from '../training/highLevel.ts'
import type { Noise } from './noise.ts'

/** Stages 2 and 3: voxels → voxel2clip → K samples of the diffusion prior. */

export interface DecodedBrain {
  /** Output of voxel2clip's backbone, (T·D), on which the prior is conditioned. */
  backbone: Float32Array
  /** Output of its projector (of the backbone, where there is none), (T·D): what retrieval and the choice among candidates compare. */
  projected: Float32Array
  /** Image embeddings (K, T, D), each in units of its class token's length. */
  samples: Float32Array
}

/** Added to the class token's length before the division. */
const EPS = 1e-6

/** Embeddings (K, T, D) divided by the length of their own first token. */
export const inUnitsOfClassToken = (embeddings: tf.Tensor3D): tf.Tensor3D =>
  tf.tidy(() => {
    const [candidates, , width] = embeddings.shape
    const length = tf.norm(tf.slice(embeddings, [0, 0, 0], [candidates, 1, width]), 2, 2, true)
    return tf.div(embeddings, tf.add(length, EPS))
  })

/**
 * Decodes the z-scored voxels (V) of patterns of one fold, each by itself, so that its bits do not depend on its company. A run without a
 * diffusion prior has the backbone's output for its one sample: regression brought it near the target. `sampled` is told of each pattern.
 */
export function decodeBrain(
  { runFolder, config }: Pick<RunPlace, 'runFolder' | 'config'>,
  fold: number,
  patterns: readonly Float32Array[],
  { candidates, noise }: { candidates: number; noise: Noise },
  sampled: (pattern: number) => void,
): DecodedBrain[] {
  const { tokens, width } = config
  const parameters = new Parameters()
  const { brain, prior } = createHighLevel(parameters, config, patterns[0].length)
  try {
    loadModel(foldFiles(foldFolder(runFolder, fold)).model, parameters)
    return patterns.map((voxels, i) => {
      const { backbone, projected } = tf.tidy(() => brain.forward(tf.tensor2d(voxels, [1, voxels.length])))
      const samples = numbersOf(() => {
        const condition = tf.tile(tf.reshape(backbone, [1, tokens, width]), [candidates, 1, 1]) as tf.Tensor3D
        return inUnitsOfClassToken(prior ? prior.sample(condition, noise.prior()) : condition)
      })
      const decoded: DecodedBrain = {
        backbone: backbone.dataSync<'float32'>().slice(),
        projected: (projected ?? backbone).dataSync<'float32'>().slice(),
        samples,
      }
      tf.dispose({ backbone, projected })
      sampled(i)
      return decoded
    })
  } finally {
    parameters.dispose()
  }
}
