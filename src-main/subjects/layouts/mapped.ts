import type { ArrayEntry } from '../../formats/array.ts'
import { formatError, MindEyeError } from '../../base/errors.ts'
import type { Inventory } from '../inventory.ts'
import { stackIntegers, stackRows } from '../matrices.ts'
import { arrayPictures, distinctPictures, imageIds } from '../pictures.ts'
import type { Layout, Mapping, Study } from '../study.ts'
import { emptyTrials } from '../tables.ts'

interface Parts {
  entries: ArrayEntry[]
  sources: string[]
}

/** The arrays mapped to `key`, or to `key.train` and `key.test` in this order; undefined when none is. */
async function mapped(inventory: Inventory, map: Mapping, key: string): Promise<Parts | undefined> {
  const names = [map[key], map[`${key}.train`], map[`${key}.test`]].filter((name) => name !== undefined)
  if (!names.length) return undefined
  const found = await Promise.all(names.map((name) => inventory.find(name)))
  return { entries: found.map(({ entry }) => entry), sources: found.map(({ file }) => file.path) }
}

/** Stimulus numbers count from 0; those of MATLAB, which run from 1 to the number of pictures, are moved down. */
function fromZero(ids: Int32Array, pictures: number): { ids: Int32Array; base: number } {
  const low = ids.reduce((a, b) => Math.min(a, b), Infinity)
  const high = ids.reduce((a, b) => Math.max(a, b), -Infinity)
  return low >= 1 && high === pictures ? { ids: ids.map((id) => id - 1), base: 1 } : { ids, base: 0 }
}

/** Any arrays, with their meaning given by `--map`. */
export const mappedArrays: Layout = {
  id: 'mapped',
  title: 'Arrays with a mapping given by hand',

  async recognise(_inventory, map) {
    return map.voxels || map['voxels.train'] ? { confidence: 1, explanation: 'a mapping was given' } : null
  },

  async open(inventory, map): Promise<Study> {
    const [voxelParts, pictureParts, idParts, runParts, sessionParts] = await Promise.all(
      ['voxels', 'stimuli', 'ids', 'run', 'session'].map((key) => mapped(inventory, map, key)),
    )
    if (!voxelParts || !pictureParts)
      throw new MindEyeError({
        kind: 'input',
        where: '--map',
        expected: 'voxels and stimuli',
        found: Object.keys(map).join(', '),
        fix: 'For example --map voxels.train=betas stimuli.train=images.',
      })
    const where = inventory.paths.join(', ')
    const voxels = stackRows(voxelParts.entries, where)
    const pictures = arrayPictures(pictureParts.entries, map.pixels === 'columns' ? 'columns' : 'rows', where)

    const trials = emptyTrials(voxels.rows)
    let base = 0
    let first: Int32Array
    if (idParts) {
      const ids = fromZero(stackIntegers(idParts.entries, trials.count, where), pictures.count)
      base = ids.base
      trials.stimulus.set(ids.ids)
      first = Int32Array.from({ length: pictures.count }, (_, i) => i)
    } else {
      if (pictures.count !== trials.count)
        throw formatError(
          where,
          pictureParts.entries.map((entry) => entry.name).join(' + '),
          `${trials.count} pictures, one per trial`,
          String(pictures.count),
          'When each picture is stored once, say which trial showed which: --map ids=NAME.',
        )
      const distinct = await distinctPictures(pictures)
      trials.stimulus.set(distinct.stimulus)
      first = distinct.first
    }
    if (map['voxels.train']) {
      const trainCount = voxelParts.entries[0].shape[0]
      trials.part.fill(0, 0, trainCount).fill(1, trainCount)
    }
    if (runParts) trials.run.set(stackIntegers(runParts.entries, trials.count, where))
    if (sessionParts) trials.session.set(stackIntegers(sessionParts.entries, trials.count, where))
    const sources = [voxelParts, pictureParts, idParts, runParts, sessionParts].flatMap((parts) => parts?.sources ?? [])
    return {
      name: 'mapped',
      sources: [...new Set(sources)],
      trials,
      stimuli: { ids: imageIds(first.length) },
      voxelCount: voxels.columns,
      image: pictures.image,
      readVoxels: (start, stop) => voxels.read(start, stop),
      readImages: (start, stop) => pictures.read(first.subarray(start, stop)),
      rois: [],
      checks: () => [
        {
          code: 'layout.mapping',
          level: 'note',
          ok: true,
          title: 'Mapping',
          expected: 'arrays as mapped',
          found: Object.entries(map)
            .map(([key, name]) => `${key}=${name}`)
            .join(' '),
          detail: idParts
            ? `Image numbers count from ${base}. Pictures: ${pictures.stored}.`
            : `Pictures: ${pictures.stored}.`,
        },
      ],
    }
  },
}
