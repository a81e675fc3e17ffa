import * as tf from '@tensorflow/tfjs-core'

/** What we use of the native backend's binding; it is not in TensorFlow.js' public types. */
interface NativeBackend {
  isUsingGpuDevice: boolean
  binding: Record<
    'TF_ATTR_TYPE' | 'TF_ATTR_BOOL' | 'TF_ATTR_SHAPE' | 'TF_ATTR_STRING' | 'TF_FLOAT' | 'TF_INT32',
    number
  >
  executeSingleOutput(op: string, attributes: OpAttribute[], inputs: tf.Tensor[]): tf.Tensor
  executeMultipleOutputs(op: string, attributes: OpAttribute[], inputs: tf.Tensor[], outputs: number): tf.Tensor[]
}
interface OpAttribute {
  name: string
  type: number
  value: unknown
}

/** Whether TensorFlow computes, so that ops beyond the TensorFlow.js API can be reached. */
export const hasTensorFlow = (): boolean => tf.getBackend() === 'tensorflow'

/** Whether each op is a launch on a graphics card, where few big ops are fastest. */
export const computesOnGpu = (): boolean => hasTensorFlow() && native().isUsingGpuDevice

const native = () => tf.backend() as unknown as NativeBackend

const floatAttribute = (name: string): OpAttribute => {
  const { binding } = native()
  return { name, type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }
}
const boolAttribute = (name: string, value: boolean): OpAttribute => ({
  name,
  type: native().binding.TF_ATTR_BOOL,
  value,
})

const intAttribute = (name: string): OpAttribute => {
  const { binding } = native()
  return { name, type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 }
}

/** N(0, 1) by TensorFlow's counter-based generator: the same numbers for the same seed, whatever the number of threads. */
export function statelessNormal(shape: readonly number[], seed: readonly [number, number]): tf.Tensor {
  const [size, key] = [tf.tensor1d([...shape], 'int32'), tf.tensor1d([...seed], 'int32')]
  const attributes = [floatAttribute('dtype'), intAttribute('T'), intAttribute('Tseed')]
  const drawn = native().executeSingleOutput('StatelessRandomNormal', attributes, [size, key])
  tf.dispose([size, key])
  return drawn
}

/**
 * Whether oneDNN was told to round the factors of products to bfloat16, which is six times faster where the processor has tiles for it: the
 * demo pack is trained so. Only the op for batches of matrices goes through oneDNN.
 */
const roundsFactors = process.env.TF_SET_ONEDNN_FPMATH_MODE === 'BF16'

/** Rows from which MatMul is the faster op, of a factor that is transposed or is multiplied by a transposed one. */
const TALL = { transposed: 256, byTransposed: 2048 }

/**
 * a b, either of them transposed on request; off the tape. TensorFlow.js always asks for BatchMatMulV2, whose plain product takes up to
 * twice the time of MatMul on a CPU (a vector of row means five times); only with transposed factors is it at times the faster one.
 */
export function product(a: tf.Tensor2D, b: tf.Tensor2D, transposeA = false, transposeB = false): tf.Tensor2D {
  const [rows] = a.shape
  const isBatchFaster =
    (transposeA && rows < TALL.transposed) || (transposeB && (rows < TALL.byTransposed || b.shape[0] < b.shape[1]))
  if (isBatchFaster || roundsFactors || !hasTensorFlow()) return tf.matMul(a, b, transposeA, transposeB)
  const attributes = [
    floatAttribute('T'),
    boolAttribute('transpose_a', transposeA),
    boolAttribute('transpose_b', transposeB),
  ]
  return native().executeSingleOutput('MatMul', attributes, [a, b]) as tf.Tensor2D
}

/** dL/dz of y = σ(z) from y and dL/dy, y (1 − y) dL/dy, in one pass where TensorFlow computes. */
export function sigmoidGradient(y: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  if (hasTensorFlow()) return native().executeSingleOutput('SigmoidGrad', [floatAttribute('T')], [y, dy])
  return tf.mul(dy, tf.mul(y, tf.sub(1, y)))
}

/** dL/dz of y = max(z, 0) from z and dL/dy, in one pass where TensorFlow computes. */
export function reluGradient(z: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  if (hasTensorFlow()) return native().executeSingleOutput('ReluGrad', [floatAttribute('T')], [dy, z])
  return tf.mul(dy, tf.step(z))
}

let variables = 0

/** A float32 variable that lives inside TensorFlow, is updated in place, and is not on any tape. */
export class ResourceVariable {
  private readonly handle: tf.Tensor

  constructor(shape: readonly number[]) {
    const { binding } = native()
    this.handle = tf.keep(
      native().executeSingleOutput(
        'VarHandleOp',
        [
          floatAttribute('dtype'),
          { name: 'shape', type: binding.TF_ATTR_SHAPE, value: [...shape] },
          { name: 'shared_name', type: binding.TF_ATTR_STRING, value: `mindeye/${variables++}` },
          { name: 'container', type: binding.TF_ATTR_STRING, value: '' },
        ],
        [],
      ),
    )
  }

  assign(value: tf.Tensor): void {
    native().executeMultipleOutputs(
      'AssignVariableOp',
      [floatAttribute('dtype'), boolAttribute('validate_shape', true)],
      [this.handle, value],
      0,
    )
  }

  /** The current value without a copy; dispose it before the next update, or the update copies. */
  read(): tf.Tensor {
    return native().executeSingleOutput('ReadVariableOp', [floatAttribute('dtype')], [this.handle])
  }

  /** One ResourceApplyAdam over (this, m, v); scalars in the op's order: β1 power, β2 power, lr, β1, β2, ε. */
  applyAdam(m: ResourceVariable, v: ResourceVariable, scalars: tf.Tensor[], gradient: tf.Tensor): void {
    native().executeMultipleOutputs(
      'ResourceApplyAdam',
      [floatAttribute('T'), boolAttribute('use_locking', false), boolAttribute('use_nesterov', false)],
      [this.handle, m.handle, v.handle, ...scalars, gradient],
      0,
    )
  }

  dispose(): void {
    native().executeMultipleOutputs('DestroyResourceOp', [boolAttribute('ignore_lookup_error', true)], [this.handle], 0)
    this.handle.dispose()
  }
}
