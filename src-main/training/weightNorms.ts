import { MindEyeError } from '../base/errors.ts'
import { toFloat32 } from '../formats/elements.ts'
import { openSafetensors } from '../formats/safetensors.ts'
import { openFile } from '../formats/source.ts'

/** The layer that sees the voxels, (out, V), by its name in our runs and in published checkpoints. */
const firstLayer = /(^|\.)lin0(\.\d+)?\.weight$/
const BLOCK_BYTES = 16 * 2 ** 20

/**
 * How much a decoder takes from each voxel: the L2 norm of the weights by which the voxel enters the first layer (of ridge, all of
 * its weights), averaged over the models of a run's folds, (V). Read in slices, without TensorFlow. Throws a state error for a
 * file without such a layer.
 */
export function weightNorms(paths: readonly string[], voxels: number): Float32Array<ArrayBuffer> {
  const sum = new Float64Array(voxels)
  for (const path of paths) {
    const norms = normsOf(path, voxels)
    for (let v = 0; v < voxels; v++) sum[v] += norms[v] / paths.length
  }
  return Float32Array.from(sum)
}

function normsOf(path: string, voxels: number): Float64Array {
  const file = openSafetensors(openFile(path))
  try {
    const layer = file.arrays.find(({ name, shape }) => firstLayer.test(name) && shape[1] === voxels)
    const ridge = file.arrays.find(({ name, shape }) => name === 'weights' && shape[0] === voxels)
    const array = layer ?? ridge
    if (array?.shape.length !== 2)
      throw new MindEyeError({
        kind: 'state',
        where: path,
        expected: `a decoder whose first layer takes ${voxels} voxels`,
        found: file.arrays
          .slice(0, 5)
          .map(({ name, shape }) => `${name} [${shape}]`)
          .join(', '),
      })
    const [rows, columns] = array.shape
    const squares = new Float64Array(voxels)
    const height = Math.max(1, Math.floor(BLOCK_BYTES / (4 * columns)))
    for (let start = 0; start < rows; start += height) {
      const data = toFloat32(array.readRows(start, Math.min(rows, start + height)))
      for (let i = 0, at = 0; at < data.length; i++)
        for (let j = 0; j < columns; j++, at++) squares[layer ? j : start + i] += data[at] * data[at]
    }
    return squares.map(Math.sqrt)
  } finally {
    file.close()
  }
}
