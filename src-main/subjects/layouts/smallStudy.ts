import type { ArrayEntry } from '../../formats/array.ts'
import { formatError } from '../../base/errors.ts'
import type { Check } from '../checks.ts'
import type { Inventory, SourceFile } from '../inventory.ts'
import { stackIntegers, stackRows } from '../matrices.ts'
import { arrayPictures, distinctPictures, imageIds } from '../pictures.ts'
import type { Layout, Mapping, Study } from '../study.ts'
import { emptyTrials } from '../tables.ts'
import { range } from '../wording.ts'

/** The variables of one file, by what they hold; train first, then test. */
interface Variables {
  file: SourceFile
  voxels: ArrayEntry[]
  stimuli: ArrayEntry[]
  /** One whole number per trial. */
  labels?: ArrayEntry[]
}

async function findVariables(inventory: Inventory, map: Mapping): Promise<Variables | null> {
  for (const file of inventory.ofFormat('matlab5', 'matlab73', 'hdf5')) {
    const arrays = await inventory.arrays(file)
    const named = (...names: string[]) => {
      const found = names.map((name) => arrays.find((entry) => entry.name.toLowerCase() === name.toLowerCase()))
      return found.every((entry) => entry !== undefined) ? found : undefined
    }
    const voxels = named('fmriTrn', 'fmriTest')
    const stimuli = named('stimTrn', 'stimTest')
    if (!voxels || !stimuli || ![...voxels, ...stimuli].every((entry) => entry.shape.length === 2)) continue
    return { file, voxels, stimuli, labels: named(map['run.train'] ?? 'labelTrn', map['run.test'] ?? 'labelTest') }
  }
  return null
}

/**
 * Labels are scanner runs when they are not a property of the picture: some picture was shown under two of them. Where no
 * picture repeats nothing tells runs from classes, and calling classes runs would offer a split that means something else.
 */
function looksLikeRuns(labels: Int32Array, stimulus: Int32Array): boolean {
  const first = new Map<number, number>()
  return labels.some((label, trial) => {
    const before = first.get(stimulus[trial])
    if (before === undefined) first.set(stimulus[trial], label)
    return before !== undefined && before !== label
  })
}

function checkRows({ file, voxels, stimuli }: Variables): void {
  voxels.forEach(({ name, shape }, i) => {
    if (stimuli[i].shape[0] !== shape[0])
      throw formatError(file.name, stimuli[i].name, `${shape[0]} rows, as ${name} has`, String(stimuli[i].shape[0]))
  })
}

function labelCheck(labels: Int32Array | undefined, runs: boolean, names: string): Check {
  const distinct = [...new Set(labels)]
  return {
    code: 'layout.labels',
    level: 'note',
    ok: runs,
    title: 'Scanner runs',
    expected: 'labels that change between showings of one image',
    found: labels
      ? `${names}: ${distinct.length} values (${range(distinct)}), ${runs ? '' : 'not '}taken as scanner runs`
      : 'no labels',
    detail:
      labels && !runs
        ? 'Each image has one label only, so these may be classes. If they are runs: --map run.train=labelTrn run.test=labelTest.'
        : '',
  }
}

/** MATLAB file with fmriTrn (n, V), stimTrn (n, side * side), fmriTest, stimTest and perhaps label*: studies of about 100 trials. */
export const smallStudy: Layout = {
  id: 'small-study',
  title: 'Small study in one MATLAB file',

  async recognise(inventory, map) {
    const found = await findVariables(inventory, map)
    if (!found) return null
    return { confidence: 0.9, explanation: `${found.file.name} holds fmriTrn, stimTrn, fmriTest and stimTest` }
  },

  async open(inventory, map): Promise<Study> {
    const found = await findVariables(inventory, map)
    if (!found) throw inventory.missing('the variables fmriTrn, stimTrn, fmriTest and stimTest')
    checkRows(found)
    const { file } = found
    const voxels = stackRows(found.voxels, file.name)
    // These files come from MATLAB: a picture is stored column after column.
    const pictures = arrayPictures(found.stimuli, map.pixels === 'rows' ? 'rows' : 'columns', file.name)
    const { stimulus, first } = await distinctPictures(pictures)

    const trials = emptyTrials(voxels.rows)
    trials.stimulus.set(stimulus)
    trials.part.fill(0, 0, found.voxels[0].shape[0]).fill(1, found.voxels[0].shape[0])
    const labels = found.labels && stackIntegers(found.labels, trials.count, file.name)
    const runs = !!labels && (map['run.train'] !== undefined || looksLikeRuns(labels, stimulus))
    if (runs) trials.run.set(labels)
    return {
      name: file.name.replace(/\.[^.]*$/, ''),
      sources: [file.path],
      trials,
      stimuli: { ids: imageIds(first.length) },
      voxelCount: voxels.columns,
      image: pictures.image,
      readVoxels: (start, stop) => voxels.read(start, stop),
      readImages: (start, stop) => pictures.read(first.subarray(start, stop)),
      rois: [],
      checks: () => [
        labelCheck(labels, runs, (found.labels ?? []).map((entry) => entry.name).join(', ')),
        {
          code: 'layout.pixels',
          level: 'note',
          ok: true,
          title: 'Figures',
          expected: 'square figures stored column by column, as MATLAB does',
          found: `${pictures.image.height} x ${pictures.image.width}, ${pictures.stored}`,
          detail: '',
        },
      ],
    }
  },
}
