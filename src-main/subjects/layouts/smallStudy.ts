import type { ArrayEntry } from '../../formats/array.ts'
import { formatError, MindEyeError } from '../../base/errors.ts'
import type { Check } from '../checks.ts'
import { figuresFromRows } from '../figures.ts'
import { type Inventory, type SourceFile, toFloat32, toIntegers } from '../inventory.ts'
import type { Layout, Mapping, Study } from '../study.ts'
import { emptyTrials } from '../tables.ts'
import { range } from '../wording.ts'

/** The variables of one file, by what they hold. */
interface Variables {
  file: SourceFile
  voxels: [train: ArrayEntry, test: ArrayEntry]
  stimuli: [train: ArrayEntry, test: ArrayEntry]
  /** One whole number per trial. */
  labels?: [train: ArrayEntry, test: ArrayEntry]
}

const isMatrix = (entry: ArrayEntry | undefined): entry is ArrayEntry => entry?.shape.length === 2
const length = (entry: ArrayEntry): number => entry.shape.reduce((a, b) => a * b, 1)

async function findVariables(inventory: Inventory, map: Mapping): Promise<Variables | null> {
  for (const file of inventory.ofFormat('matlab5', 'hdf5')) {
    const arrays = await inventory.arrays(file)
    const named = (name: string) => arrays.find((entry) => entry.name.toLowerCase() === name.toLowerCase())
    const voxels = [named('fmriTrn'), named('fmriTest')] as const
    const stimuli = [named('stimTrn'), named('stimTest')] as const
    if (!isMatrix(voxels[0]) || !isMatrix(voxels[1]) || !isMatrix(stimuli[0]) || !isMatrix(stimuli[1])) continue
    const labels = [named(map['run.train'] ?? 'labelTrn'), named(map['run.test'] ?? 'labelTest')] as const
    return {
      file,
      voxels: [voxels[0], voxels[1]],
      stimuli: [stimuli[0], stimuli[1]],
      labels: labels[0] && labels[1] ? [labels[0], labels[1]] : undefined,
    }
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

function checkShapes({ file, voxels, stimuli, labels }: Variables): void {
  const [parts, names] = [voxels, ['train', 'test']]
  parts.forEach((entry, i) => {
    const trials = entry.shape[0]
    if (stimuli[i].shape[0] !== trials)
      throw formatError(file.name, stimuli[i].name, `${trials} rows, as ${entry.name} has`, String(stimuli[i].shape[0]))
    if (labels && length(labels[i]) !== trials)
      throw formatError(
        file.name,
        labels[i].name,
        `${trials} labels, one per ${names[i]} trial`,
        String(length(labels[i])),
      )
  })
  for (const pair of [voxels, stimuli])
    if (pair[0].shape[1] !== pair[1].shape[1])
      throw formatError(
        file.name,
        pair[1].name,
        `${pair[0].shape[1]} columns, as ${pair[0].name} has`,
        String(pair[1].shape[1]),
      )
}

/** Both parts of a variable, train rows first. */
function joinParts([train, test]: [ArrayEntry, ArrayEntry]): Float32Array {
  const [a, b] = [toFloat32(train.read()), toFloat32(test.read())]
  const both = new Float32Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

function labelCheck(labels: Int32Array | undefined, runs: boolean, names: string): Check {
  const distinct = labels ? [...new Set(labels)] : []
  return {
    code: 'layout.labels',
    level: 'note',
    ok: runs,
    title: 'Scanner runs',
    expected: 'labels that change between showings of one image',
    found: !labels
      ? 'no labels'
      : `${names}: ${distinct.length} values (${range(distinct)})${runs ? ', taken as scanner runs' : ', not taken as runs'}`,
    detail:
      labels && !runs
        ? 'Each image has one label only, so these may be classes. If they are runs: --map run.train=labelTrn --map run.test=labelTest.'
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
    return {
      confidence: 0.9,
      explanation: `${found.file.name} holds fmriTrn, stimTrn, fmriTest and stimTest`,
    }
  },

  async open(inventory, map): Promise<Study> {
    const found = await findVariables(inventory, map)
    if (!found)
      throw new MindEyeError({
        kind: 'input',
        where: inventory.paths.join(', '),
        expected: 'the variables fmriTrn, stimTrn, fmriTest and stimTest',
        found: await inventory.describe(),
      })
    checkShapes(found)
    const { file, voxels, stimuli } = found
    const trainCount = voxels[0].shape[0]
    const V = voxels[0].shape[1]
    const betas = joinParts(voxels)
    // These files come from MATLAB: a picture is stored column after column.
    const figures = figuresFromRows(
      joinParts(stimuli),
      stimuli[0].shape[1],
      'column-major',
      `${file.name}, ${stimuli[0].name}`,
    )

    const trials = emptyTrials(trainCount + voxels[1].shape[0])
    trials.stimulus.set(figures.stimulus)
    trials.part.fill(0, 0, trainCount).fill(1, trainCount)
    const labels =
      found.labels && Int32Array.from(found.labels.flatMap((entry) => [...toIntegers(entry.read(), entry.name)]))
    const runs = !!labels && (map['run.train'] !== undefined || looksLikeRuns(labels, trials.stimulus))
    if (labels && runs) trials.run.set(labels)
    return {
      name: file.name.replace(/\.[^.]*$/, ''),
      sources: [file.path],
      trials,
      stimuli: { ids: figures.ids },
      voxelCount: V,
      image: figures.image,
      readVoxels: (start, stop) => betas.slice(start * V, stop * V),
      readImages: (start, stop) => figures.pixels.slice(start * figures.size, stop * figures.size),
      rois: [],
      checks: [
        labelCheck(labels, runs, (found.labels ?? []).map((entry) => entry.name).join(', ')),
        {
          code: 'layout.pixels',
          level: 'note',
          ok: true,
          title: 'Figures',
          expected: 'square figures stored column by column, as MATLAB does',
          found: `${figures.image.height} x ${figures.image.width}, ${figures.scale}; turned upright`,
          detail: 'Look at a few: a figure that lies on its side was stored row by row.',
        },
      ],
    }
  },
}
