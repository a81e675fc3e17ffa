import * as tf from '@tensorflow/tfjs-core'
import type { ArrayEntry } from '../formats/array.ts'
import { renamed } from '../formats/array.ts'
import { ConvNorm } from '../nn/convNorm.ts'
import type { ConvNormOptions } from '../nn/convNorm.ts'
import { Parameters } from '../nn/parameters.ts'
import { openModelWeights } from './modelFolder.ts'

/** A step from map to map, each (B, H, W, C). */
export type MapLayer = (x: tf.Tensor4D) => tf.Tensor4D

/** Applies layers one after another; every map but the input and the last is freed as soon as the next one is there. */
export function chain(x: tf.Tensor4D, layers: readonly MapLayer[]): tf.Tensor4D {
  let map = x
  for (const layer of layers) {
    const next = tf.tidy(() => layer(map))
    if (map !== x && next !== map) map.dispose()
    map = next
  }
  return map
}

/**
 * The arrays of the network in a file that may be a training checkpoint with its state dict under `model` and may have been saved by
 * DistributedDataParallel (`module.…`), by the names that the network itself gives them.
 */
export function stateDict(arrays: readonly ArrayEntry[]): ArrayEntry[] {
  const inside = arrays.filter(({ name }) => name.startsWith('model.'))
  return (inside.length ? inside : arrays).map((array) =>
    renamed(array, array.name.replace(/^(model\.)?(module\.)?/, '')),
  )
}

/**
 * What published image networks that are never trained here have in common: parameters under published names, and loading from
 * a file that may hold more than we compute.
 */
export abstract class FrozenNetwork {
  readonly parameters = new Parameters()
  private readonly convNorms: ConvNorm[] = []
  /** Prefixes of published names that belong to what we do not compute: classifiers and other heads. */
  protected abstract readonly ignored: readonly string[]

  /** A convolution, batch normalization and activation under their published names. */
  protected convNorm(conv: string, norm: string, inputs: number, outputs: number, options: ConvNormOptions): MapLayer {
    const layer = new ConvNorm(this.parameters, conv, norm, inputs, outputs, options)
    this.convNorms.push(layer)
    return (x) => layer.compute(x)
  }

  /** What keeps a published file from being this network's: missing and misshaped names, and those neither the network's nor ignored. */
  faults(arrays: readonly ArrayEntry[]): string[] {
    return this.parameters.faults(this.own(arrays))
  }

  /** Loads a published file; throws a format error that lists its faults. */
  load(arrays: readonly ArrayEntry[], where: string): void {
    this.parameters.load(this.own(arrays), where)
    for (const layer of this.convNorms) layer.fold()
  }

  private own(arrays: readonly ArrayEntry[]): ArrayEntry[] {
    const isIgnored = ({ name }: ArrayEntry) =>
      name.endsWith('.num_batches_tracked') || this.ignored.some((prefix) => name.startsWith(prefix))
    return stateDict(arrays).filter((array) => !isIgnored(array))
  }

  dispose(): void {
    this.parameters.dispose()
  }
}

/** A network whose inner maps are compared between images. */
export interface FeatureNetwork extends FrozenNetwork {
  /** Named maps of normalized images (B, H, W, 3), each (B, H', W', C); the caller disposes them. */
  features(images: tf.Tensor4D): Record<string, tf.Tensor4D>
}

/** A network from its published file. Throws a format error that lists what does not fit; nothing is left behind then. */
export function loadFrozen<N extends FrozenNetwork>(
  path: string,
  create: (arrays: readonly ArrayEntry[], where: string) => N,
): N {
  const file = openModelWeights(path)
  try {
    const network = create(stateDict(file.arrays), path)
    try {
      network.load(file.arrays, path)
      return network
    } catch (error) {
      network.dispose()
      throw error
    }
  } finally {
    file.close()
  }
}
