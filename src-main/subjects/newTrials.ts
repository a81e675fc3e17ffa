import { MindEyeError } from '../base/errors.ts'
import { Inventory } from './inventory.ts'
import { openStudy } from './layouts/index.ts'
import { stackRows } from './matrices.ts'
import type { Mapping } from './study.ts'

/** Trials to decode whose pictures need not be known. */
export interface NewTrials {
  count: number
  /** What they were taken from, in words. */
  source: string
  /** Trials `[start, stop)`: (stop - start, V), in the units of the files. */
  read(start: number, stop: number): Float32Array | Promise<Float32Array>
  close(): void
}

/**
 * Betas (trials, V) for a decoder of `voxelCount` voxels: the array mapped as `voxels`, else the only matrix in the files with that
 * many columns, else all trials of a dataset in a known layout. Throws an input error that says what was found instead.
 */
export async function openNewTrials(paths: readonly string[], map: Mapping, voxelCount: number): Promise<NewTrials> {
  const inventory = new Inventory(paths)
  try {
    const all = map.voxels ? [await inventory.find(map.voxels)] : await inventory.allArrays()
    const fitting = all.filter(({ entry: { shape } }) => shape.length === 2 && shape[1] === voxelCount)
    if (fitting.length === 1) {
      const { file, entry } = fitting[0]
      const { rows, read } = stackRows([entry], file.name)
      return { count: rows, source: `${entry.name} of ${file.name}`, read, close: () => inventory.close() }
    }
    if (map.voxels || fitting.length)
      throw new MindEyeError({
        kind: 'input',
        where: paths.join(', '),
        expected: `one matrix (trials, ${voxelCount}), the voxels that the decoder was trained on`,
        found: (fitting.length ? fitting : all).map(({ entry }) => `${entry.name} [${entry.shape}]`).join(', '),
        fix: 'Say which holds the trials: --map voxels=NAME.',
      })
  } catch (error) {
    inventory.close()
    throw error
  }
  inventory.close()

  const { study, layout, close } = await openStudy(paths, map)
  if (study.voxelCount !== voxelCount) {
    close()
    throw new MindEyeError({
      kind: 'input',
      where: paths.join(', '),
      expected: `${voxelCount} voxels, as the decoder was trained on`,
      found: `${study.voxelCount} voxels`,
      fix: 'A decoder knows the voxels of its own subject only.',
    })
  }
  const read = (start: number, stop: number) => study.readVoxels(start, stop)
  return { count: study.trials.count, source: layout.title, read, close }
}
