import type { ArrayEntry } from '../../formats/array.ts'
import { distinct } from '../../base/distinct.ts'
import { formatError, MindEyeError } from '../../base/errors.ts'
import type { FoundArray, Inventory } from '../inventory.ts'
import { stackIntegers, stackRows } from '../matrices.ts'
import { arrayPictures } from '../pictures.ts'
import { readBehaviour } from '../behaviour.ts'
import type { Layout, Mapping, Study } from '../study.ts'
import { emptyTrials } from '../tables.ts'
import { nsdCountChecks, subjectNumber, subjectsOf } from './nsdFacts.ts'
import { volumeOf } from './volumeMasks.ts'

interface Parts {
  betas: FoundArray[]
  images: FoundArray
  /** `subjNN`: the 73k id of each trial. */
  ids: FoundArray[]
}

async function findParts(inventory: Inventory): Promise<Parts | null> {
  const found: FoundArray[] = []
  for (const file of inventory.ofFormat('hdf5'))
    for (const entry of await inventory.arrays(file)) found.push({ file, entry })
  const betas = found.filter(({ entry }) => entry.name === 'betas' && entry.shape.length === 2)
  const images = found.find(({ entry }) => entry.name === 'images' && entry.shape.length === 4)
  const ids = found.filter(({ entry }) => /^subj\d+$/.test(entry.name) && !entry.dtype.startsWith('bfloat'))
  return betas.length && images && ids.length ? { betas, images, ids } : null
}

const length = (entry: ArrayEntry): number => entry.shape.reduce((a, b) => a * b, 1)

/** The betas and the id list of one subject; several subjects in one folder are told apart by number. */
function choose(
  { betas, ids }: Parts,
  map: Mapping,
  where: string,
): { betas: FoundArray; ids: FoundArray; subject?: number } {
  const asked = map.subject === undefined ? undefined : Number(map.subject)
  const own = betas.filter(({ file }) => asked === undefined || subjectNumber(file.name) === asked)
  if (own.length !== 1)
    throw new MindEyeError({
      kind: 'input',
      where,
      expected: 'the betas of one subject',
      found: `${own.length} files of betas${asked === undefined ? '' : ` for subject ${asked}`}: ${betas.map(({ file }) => file.name).join(', ')}`,
      fix: 'Import one subject at a time: --map subject=1.',
    })
  const subject = asked ?? subjectNumber(own[0].file.name)
  const trials = own[0].entry.shape[0]
  const fitting = ids.filter(({ entry }) => length(entry) === trials)
  const named = fitting.filter(({ entry }) => subjectNumber(entry.name) === subject)
  const list = named.length ? named : fitting
  if (list.length !== 1)
    throw formatError(
      where,
      'subjNN (the image of each trial)',
      `one list of ${trials} ids, as many as trials in ${own[0].file.name}`,
      ids.map(({ entry }) => `${entry.name} of ${length(entry)}`).join(', '),
      'Say which with --map subject=1.',
    )
  return { betas: own[0], ids: list[0], subject: subject ?? subjectNumber(list[0].entry.name) }
}

/** MindEye2's HDF5 files: betas (trials, V), images (73000, 3, 224, 224), one id list per subject, behaviour in webdataset tars. */
export const mindeye2: Layout = {
  id: 'mindeye2-hdf5',
  title: 'MindEye2 HDF5 files',

  async recognise(inventory) {
    const parts = await findParts(inventory)
    if (!parts) return null
    return {
      confidence: 0.9,
      explanation: `${parts.betas[0].file.name} holds betas, ${parts.images.file.name} images, ${parts.ids[0].file.name} the image of each trial`,
    }
  },

  async subjects(inventory) {
    const parts = await findParts(inventory)
    return subjectsOf(inventory, parts?.betas.map(({ file }) => file) ?? [])
  },

  async open(inventory, map): Promise<Study> {
    const parts = await findParts(inventory)
    if (!parts) throw inventory.missing('HDF5 files with betas (trials, V), images (n, 3, H, W) and subjNN (trials)')
    const where = inventory.paths.join(', ')
    const { betas, ids, subject } = choose(parts, map, where)
    const voxels = stackRows([betas.entry], betas.file.name)
    const pictures = arrayPictures([parts.images.entry], 'rows', parts.images.file.name)
    const shown = stackIntegers([ids.entry], voxels.rows, ids.file.name)
    const bad = shown.find((id) => id < 0 || id >= pictures.count)
    if (bad !== undefined)
      throw formatError(ids.file.name, ids.entry.name, `ids from 0 to ${pictures.count - 1}`, String(bad))
    const used = distinct(shown)
    const place = new Map([...used].map((id, i) => [id, i]))

    const trials = emptyTrials(voxels.rows)
    shown.forEach((id, row) => (trials.stimulus[row] = place.get(id)!))
    const behaviour = readBehaviour(inventory, subject)
    const told = behaviour.apply(trials, shown)
    const volume = volumeOf(inventory, voxels.columns, subject)
    return {
      name: subject === undefined ? 'mindeye2' : `subj${String(subject).padStart(2, '0')}`,
      sources: [betas.file.path, parts.images.file.path, ids.file.path, ...behaviour.sources, ...volume.sources],
      trials,
      stimuli: { ids: [...used].map(String) },
      voxelCount: voxels.columns,
      image: pictures.image,
      readVoxels: (start, stop) => voxels.read(start, stop),
      readImages: (start, stop) => pictures.read(used.subarray(start, stop)),
      ...volume.geometry,
      checks: () => [...told, ...nsdCountChecks(subject, voxels.columns, voxels.rows)],
    }
  },
}
