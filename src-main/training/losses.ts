import * as tf from '@tensorflow/tfjs-core'

/** How a batch was mixed: sample i is β_i·v_i + (1 − β_i)·v_π(i), with β_i = 1 where it was left alone. */
export interface Mixing {
  permutation: Int32Array
  betas: Float32Array
}

/** Sees what a contrast compares, before the loss: logits (B, B), cosines over the temperature, and the labels (B, B) of their rows. */
export type ContrastWatch = (logits: tf.Tensor2D, target: tf.Tensor2D) => void

/** Rows of (B, …) flattened and divided by their L2 norm, as torch.nn.functional.normalize does: (B, N). */
export function normaliseRows(x: tf.Tensor): tf.Tensor2D {
  const flat = tf.reshape(x, [x.shape[0], -1]) as tf.Tensor2D
  return tf.div(flat, tf.maximum(tf.sqrt(tf.sum(tf.square(flat), 1, true)), 1e-12))
}

/** mean_i −Σ_j target_ij · logsoftmax(logits)_ij. */
const crossEntropy = (logits: tf.Tensor2D, target: tf.Tensor2D): tf.Scalar =>
  tf.neg(tf.mean(tf.sum(tf.mul(target, tf.logSoftmax(logits)), 1)))

/** v (B, V) mixed with its permutation (MindEye §3.3, `mixco` of the official utils.py); the sources are unmixed. */
export function mixVoxels(voxels: Float32Array, { permutation, betas }: Mixing): Float32Array {
  const width = voxels.length / betas.length
  return voxels.map((value, at) => {
    const row = Math.floor(at / width)
    const other = voxels[permutation[row] * width + (at % width)]
    return Math.fround(value * betas[row]) + Math.fround(other * Math.fround(1 - betas[row]))
  })
}

/** Rows (B, N) of a tensor mixed in the same way, for mixup's targets. */
export function mixRows(x: tf.Tensor2D, { permutation, betas }: Mixing): tf.Tensor2D {
  const own = tf.tensor2d(betas, [betas.length, 1])
  return tf.add(tf.mul(x, own), tf.mul(tf.gather(x, tf.tensor1d(permutation, 'int32')), tf.sub(1, own)))
}

/** What BiMixCo contrasts with: diag(β), then row i, column π(i) *set* to 1 − β_i, also where π(i) = i. */
function mixingTarget({ permutation, betas }: Mixing): tf.Tensor2D {
  const n = betas.length
  const target = new Float32Array(n * n)
  for (let i = 0; i < n; i++) target[i * n + i] = betas[i]
  for (let i = 0; i < n; i++) target[i * n + permutation[i]] = 1 - betas[i]
  return tf.tensor2d(target, [n, n])
}

/**
 * BiMixCo: symmetric cross-entropy of cosine similarities with the mixing weights as soft labels; without mixing the
 * labels are the diagonal (InfoNCE). brain, image: normalised rows (B, N). Eq. 2 of the paper, `mixco_nce`.
 */
export function biMixCo(
  brain: tf.Tensor2D,
  image: tf.Tensor2D,
  temperature: number,
  mixing?: Mixing,
  watch?: ContrastWatch,
): tf.Scalar {
  const logits = tf.div(tf.matMul(brain, image, false, true), temperature) as tf.Tensor2D // (B, B)
  const target = mixing ? mixingTarget(mixing) : tf.eye(brain.shape[0])
  watch?.(logits, target)
  return tf.mul(
    0.5,
    tf.add(crossEntropy(logits, target), crossEntropy(tf.transpose(logits), tf.transpose(target))),
  ) as tf.Scalar
}

/**
 * SoftCLIP: the labels are the softmax of image–image similarities at the same temperature. brain, image: normalised
 * rows (B, N). Eq. 4 of the paper, `soft_clip_loss`.
 */
export function softClip(
  brain: tf.Tensor2D,
  image: tf.Tensor2D,
  temperature: number,
  watch?: ContrastWatch,
): tf.Scalar {
  const target = tf.softmax(tf.div(tf.matMul(image, image, false, true), temperature)) as tf.Tensor2D // (B, B)
  const logits = tf.div(tf.matMul(brain, image, false, true), temperature) as tf.Tensor2D
  watch?.(logits, target)
  return tf.mul(0.5, tf.add(crossEntropy(logits, target), crossEntropy(tf.transpose(logits), target))) as tf.Scalar
}

/**
 * The low-level contrastive loss: how similar a student's token is to a teacher's of the augmented image is to be as for the teacher's of the
 * image itself. student, teacher, augmented: normalised rows (N, F), position by position. `soft_cont_loss` of the official utils.py.
 */
export function softContrast(
  student: tf.Tensor2D,
  teacher: tf.Tensor2D,
  augmented: tf.Tensor2D,
  temperature: number,
  watch?: ContrastWatch,
): tf.Scalar {
  const similarities = (x: tf.Tensor2D) => tf.div(tf.matMul(x, augmented, false, true), temperature) as tf.Tensor2D
  const [labels, logits] = [similarities(teacher), similarities(student)] // (N, N)
  const target = (x: tf.Tensor2D) => tf.softmax(x) as tf.Tensor2D
  const labelsOfRows = target(labels)
  watch?.(logits, labelsOfRows)
  const forth = crossEntropy(logits, labelsOfRows)
  const back = crossEntropy(tf.transpose(logits), target(tf.transpose(labels)))
  return tf.mul(0.5, tf.add(forth, back)) as tf.Scalar
}

/** Mean squared error over all elements. */
export const meanSquaredError = (prediction: tf.Tensor, target: tf.Tensor): tf.Scalar =>
  tf.mean(tf.square(tf.sub(prediction, target)))

/** Mean absolute difference over all elements. */
export const meanAbsoluteError = (prediction: tf.Tensor, target: tf.Tensor): tf.Scalar =>
  tf.mean(tf.abs(tf.sub(prediction, target)))
