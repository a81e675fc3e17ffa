import { MindEyeError } from '../../base/errors.ts'
import { Inventory } from '../inventory.ts'
import type { Layout, Mapping, Recognition, Study } from '../study.ts'
import { bdpy } from './bdpy.ts'
import { mappedArrays } from './mapped.ts'
import { mindeye2 } from './mindeye2.ts'
import { niftiTrials } from './niftiTrials.ts'
import { nsd } from './nsd.ts'
import { smallStudy } from './smallStudy.ts'
import { webdataset } from './webdataset.ts'

/** Every way of laying out a dataset that we know; to add one, write its file and list it here. */
export const layouts: readonly Layout[] = [smallStudy, webdataset, mindeye2, nsd, bdpy, niftiTrials, mappedArrays]

export interface OpenedStudy {
  layout: Layout
  recognition: Recognition
  study: Study
  inventory: Inventory
  close(): void
}

/** The layout that fits best, by contents; `id` asks for one. Undefined when none does. */
export async function recogniseLayout(
  inventory: Inventory,
  map: Mapping,
  id?: string,
): Promise<{ layout: Layout; recognition: Recognition } | undefined> {
  const found: { layout: Layout; recognition: Recognition }[] = []
  for (const layout of layouts) {
    if (id && layout.id !== id) continue
    const recognition = await layout.recognise(inventory, map)
    if (recognition) found.push({ layout, recognition })
  }
  return found.sort((a, b) => b.recognition.confidence - a.recognition.confidence)[0]
}

/**
 * Looks into files and folders and opens the dataset they hold; `id` asks for one layout. Throws an input error that lists
 * the arrays found when no layout fits, so that the user can map them.
 */
export async function openStudy(paths: readonly string[], map: Mapping, id?: string): Promise<OpenedStudy> {
  const inventory = new Inventory(paths)
  try {
    const best = await recogniseLayout(inventory, map, id)
    if (!best)
      throw new MindEyeError({
        kind: 'input',
        where: paths.join(', '),
        expected: `a dataset in one of the layouts ${layouts.map((layout) => layout.id).join(', ')}`,
        found: (await inventory.describe()) || 'no readable file',
        fix: fixFor(inventory),
      })
    const study = await best.layout.open(inventory, map)
    return { ...best, study, inventory, close: () => inventory.close() }
  } catch (error) {
    inventory.close()
    throw error
  }
}

function fixFor(inventory: Inventory): string {
  if (inventory.files.some(({ format }) => format === 'torch'))
    return 'Weights of a network are looked into by `mindeye checkpoint inspect FILE`; arrays of a dataset are named with --map.'
  return inventory.files.some((file) => file.format)
    ? 'Name its arrays: --map voxels.train=NAME --map stimuli.train=NAME --map voxels.test=NAME --map stimuli.test=NAME.'
    : 'Check the path: nothing here is in a format that we read (MATLAB, HDF5, npy, npz, safetensors, PyTorch, NIfTI, tar).'
}
