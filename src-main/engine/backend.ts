/**
 * The one file that picks what computes: TensorFlow's C library through tfjs-node-gpu, else the plain JavaScript backend.
 * Everything else imports `@tensorflow/tfjs-core` only and gets whichever backend was set here.
 */
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { availableParallelism, cpus } from 'node:os'
import util from 'node:util'
import * as tf from '@tensorflow/tfjs-core'

export interface BackendInfo {
  name: 'tensorflow' | 'cpu'
  /** Name of the graphics card or of the processor. */
  device: string
  /** Version of libtensorflow; of TensorFlow.js when the plain backend computes. */
  tensorflowVersion: string
  gpu: boolean
  /** Threads inside one operation. */
  threads: number
  /** Whether oneDNN kernels are on; they change the last bits of results. */
  oneDnn: boolean
  /** Whether TensorFlow was asked for run-to-run identical kernels. */
  deterministic: boolean
  /** Of matrix products: Ampere and later cards round their inputs to TF32 unless `NVIDIA_TF32_OVERRIDE=0`. */
  precision: 'float32' | 'tf32'
  /** True for the plain backend: a few hundred times slower. */
  slow: boolean
  /** Why TensorFlow does not compute, when it doesn't. */
  reason?: string
}

interface Binding {
  TF_Version: string
}

// Named otherwise than `require`, which the bundler declares as well.
const nodeRequire = createRequire(import.meta.url)

let loading: Promise<BackendInfo> | undefined

/**
 * Loads the backend once per process (TensorFlow allows one instance) and makes it the current one.
 * `MINDEYE_BACKEND=cpu` forces the plain backend.
 */
export function loadBackend(): Promise<BackendInfo> {
  loading ??= load()
  return loading
}

async function load(): Promise<BackendInfo> {
  if (process.env.MINDEYE_BACKEND === 'cpu') return loadPlain('MINDEYE_BACKEND=cpu asks for the plain backend')
  try {
    return loadTensorFlow()
  } catch (error) {
    return loadPlain(firstLine(error))
  }
}

function loadTensorFlow(): BackendInfo {
  // The library reads these when it is opened, so they must be set before. What the user has set stays.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '3'
  process.env.TF_DETERMINISTIC_OPS ??= '1'
  // Otherwise the first process takes the whole memory of the graphics card and the next one finds none.
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true'
  replaceOldUtilFunctions()
  nodeRequire('@tensorflow/tfjs-node-gpu')
  if (tf.getBackend() !== 'tensorflow') throw new Error('tfjs-node-gpu is bound to another copy of tfjs-core')
  const backend = tf.backend() as tf.KernelBackend & { isUsingGpuDevice: boolean; binding: Binding }
  return {
    name: 'tensorflow',
    device: backend.isUsingGpuDevice ? gpuName() : cpuName(),
    tensorflowVersion: backend.binding.TF_Version,
    gpu: backend.isUsingGpuDevice,
    threads: Number(process.env.TF_NUM_INTRAOP_THREADS) || availableParallelism(),
    oneDnn: process.env.TF_ENABLE_ONEDNN_OPTS !== '0',
    deterministic: ['1', 'true'].includes(process.env.TF_DETERMINISTIC_OPS),
    precision: backend.isUsingGpuDevice && process.env.NVIDIA_TF32_OVERRIDE !== '0' ? 'tf32' : 'float32',
    slow: false,
  }
}

async function loadPlain(reason: string): Promise<BackendInfo> {
  tf.enableProdMode() // its advice to install tfjs-node goes to the console otherwise; `reason` says more
  nodeRequire('@tensorflow/tfjs') // registers the plain backend and, unlike the backend's own package, all gradients
  await tf.setBackend('cpu')
  return {
    name: 'cpu',
    device: cpuName(),
    tensorflowVersion: `tfjs ${tf.version_core}`,
    gpu: false,
    threads: 1,
    oneDnn: false,
    deterministic: true,
    precision: 'float32',
    slow: true,
    reason,
  }
}

/**
 * tfjs-node 4.22 calls two functions of `util` that Node 23 removed or, where it kept them, reports as deprecated on stderr;
 * tensorflow/tfjs#8425 mends it and is not released.
 */
function replaceOldUtilFunctions(): void {
  const old = util as { isNullOrUndefined?: (x: unknown) => boolean; isArray?: (x: unknown) => boolean }
  old.isNullOrUndefined = (x) => x === null || x === undefined
  old.isArray = (x) => Array.isArray(x)
}

function cpuName(): string {
  return cpus()[0]?.model.trim() ?? process.arch
}

function gpuName(): string {
  try {
    const first = /^\d+/.exec(process.env.CUDA_VISIBLE_DEVICES ?? '')?.[0]
    const card = first === undefined ? [] : ['-i', first]
    const names = execFileSync('nvidia-smi', [...card, '--query-gpu=name', '--format=csv,noheader'], {
      encoding: 'utf8',
    })
    return names.split('\n')[0].trim()
  } catch {
    return 'NVIDIA GPU'
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0].trim()
}
