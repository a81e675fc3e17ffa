import { readFileSync } from 'node:fs'
import { freemem } from 'node:os'
import { MindEyeError } from '../base/errors.ts'
import { Parameters, PIECE_ELEMENTS } from '../nn/parameters.ts'
import type { TrainingConfig } from './fields.ts'
import { createHighLevel } from './highLevel.ts'

/** Numbers of a high-level decoder as PyTorch counts them: without buffers, which the prior's schedule is. */
export function networkParameters(config: TrainingConfig, voxels: number): number {
  const parameters = new Parameters() // declaring takes no memory
  createHighLevel(parameters, config, voxels)
  return [...parameters].reduce((sum, { name, size }) => sum + (name.startsWith('noise_scheduler.') ? 0 : size), 0)
}

/** Numbers of one fold's decoder: the network's, or a weight per voxel and target with intercepts. */
export const decoderParameters = (config: TrainingConfig, voxels: number): number =>
  config.method === 'ridge' ? (voxels + 1) * config.tokens * config.width : networkParameters(config, voxels)

/** Memory of the process with TensorFlow loaded and nothing in it, measured on Linux. */
const ENGINE_BYTES = 450e6

/**
 * Bytes that a training takes at its peak: values and both moments, the one gradient that exists at a time, the activations
 * of a batch (about 12 arrays per norm of the projector, where nearly all of them are), and the voxels of all examples
 * (twice while they are scaled).
 */
export function trainingBytes(config: TrainingConfig, voxels: number, trainTrials: number): number {
  const { hidden, blocks, tokens, width, projectorHidden, batchSize } = config
  const data = 2 * trainTrials * voxels
  if (config.method === 'ridge') return ENGINE_BYTES + 4 * data + 8 * (data + 4 * trainTrials ** 2)
  const largest = Math.max(voxels * hidden, hidden ** 2, hidden * tokens * width, projectorHidden ** 2)
  const activations = batchSize * (tokens * (3 * width + 2 * 12 * projectorHidden) + 12 * hidden * (blocks + 1))
  const numbers = 3 * networkParameters(config, voxels) + Math.min(largest, PIECE_ELEMENTS) + activations + data
  return ENGINE_BYTES + 4 * numbers
}

/** Bytes that could be had now without swapping. */
function availableBytes(): number {
  try {
    const match = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))
    if (match) return Number(match[1]) * 1024
  } catch {
    // No /proc: not Linux.
  }
  return freemem()
}

/** Throws when a training needs more memory than there is, with both figures. */
export function checkMemory(needed: number, available = availableBytes()): void {
  if (needed <= available) return
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
  throw new MindEyeError({
    kind: 'state',
    where: 'memory',
    expected: `${gigabytes(needed)} for this training`,
    found: `${gigabytes(available)} available`,
    fix: 'Close other programs, or choose a smaller model with --set hidden=… or --set tokens=….',
  })
}
