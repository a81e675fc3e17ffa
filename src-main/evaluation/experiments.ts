import { kinds } from '../reconstruction/sets.ts'
import type { Kind } from '../reconstruction/sets.ts'
import type { TrainingConfig } from '../training/fields.ts'
import { stepsPerEpoch } from '../training/plan.ts'

/** One training of an experiment, without its seed. */
export interface Cell {
  /** What is compared, e.g. a kind of mixing; the same for all cells where there is nothing to compare. */
  series: string
  /** Place on the axis. */
  x: number
  /** Options of the preset that it changes, by name. */
  set: Record<string, string>
}

/** A comparison that the claim stands or falls with: the first minus the second. */
export interface Contrast {
  title: string
  of: Pick<Cell, 'series' | 'x'>
  against: Pick<Cell, 'series' | 'x'>
}

/** An experiment behind a claim of the paper (arXiv 2305.18274). */
export interface Experiment {
  claim: string
  /** What the axis shows; `labels` name its places where they are no numbers. */
  axis: { title: string; unit: string; labels?: readonly string[] }
}

/** One that trains on a grid, with several seeds, and looks at what held-out patterns retrieve. */
export interface TrainedExperiment extends Experiment {
  /** The values on the axis, ascending, for a study with this many training examples. */
  values(examples: number): number[]
  cells(values: readonly number[], examples: number, config: TrainingConfig): Cell[]
  contrasts(values: readonly number[]): Contrast[]
}

const mixings = ['none', 'mixup', 'mixco'] as const

const width: TrainedExperiment = {
  claim: 'A very big linear layer does not overfit and helps (MindEye §3.1, appendix A.4).',
  axis: { title: 'Hidden width of voxel2clip', unit: 'units' },
  values: () => [32, 128, 512, 2048, 4096],
  cells: (values) => values.map((x) => ({ series: 'held out', x, set: { hidden: `${x}` } })),
  contrasts: (values) => {
    const high = values[values.length - 1]
    const others = new Set([values[0], ...values.slice(-2, -1)])
    return [...others]
      .filter((other) => other !== high)
      .map((other) => ({
        title: `${high} units against ${other}`,
        of: at('held out', high),
        against: at('held out', other),
      }))
  },
}

const mixing: TrainedExperiment = {
  claim: 'Bidirectional MixCo helps where there are few samples (MindEye §3.2, appendix A.3).',
  axis: { title: 'Training examples', unit: 'examples' },
  values: (examples) => [8, 4, 2, 1].map((share) => Math.round(examples / share)),
  // As many steps for few examples as for all of them: what differs is what is learnt from, not for how long.
  cells: (values, examples, { epochs, batchSize }) =>
    mixings.flatMap((series) =>
      values.map((x) => {
        const steps = epochs * stepsPerEpoch(examples, batchSize)
        const own = Math.max(1, Math.round(steps / stepsPerEpoch(x, batchSize)))
        return { series, x, set: { mixing: series, samples: `${x}`, epochs: `${own}` } }
      }),
    ),
  contrasts: (values) =>
    [...new Set([values[0], values[values.length - 1]])].flatMap((x) => [
      { title: `mixco against none with ${x} examples`, of: at('mixco', x), against: at('none', x) },
      { title: `mixco against mixup with ${x} examples`, of: at('mixco', x), against: at('mixup', x) },
    ]),
}

const at = (series: string, x: number) => ({ series, x })

/** What pictures are embedded as. */
export const representations = ['class token', 'all tokens', 'autoencoder latent'] as const
export type Representation = (typeof representations)[number]

/** What is read from the embeddings, finest first. */
export const properties = ['pixels', 'colour', 'layout', 'category'] as const
export type Property = (typeof properties)[number]

/** One that trains nothing: what embeddings of pictures tell of them. */
const embedding: Experiment = {
  claim: 'CLIP embeddings hold little perceptual detail (MindEye §3.4).',
  axis: { title: 'Property', unit: '', labels: properties },
}

const embeddingContrasts: readonly Contrast[] = [
  ...representations.slice(0, 2).map((name) => ({
    title: `pixels from the autoencoder’s latent against the ${name}`,
    of: at('autoencoder latent', properties.indexOf('pixels')),
    against: at(name, properties.indexOf('pixels')),
  })),
  {
    title: 'category from the class token against the autoencoder’s latent',
    of: at('class token', properties.indexOf('category')),
    against: at('autoencoder latent', properties.indexOf('category')),
  },
]

/** One that compares pictures: with the low-level decoder alone, without it, and with both. */
const lowLevel: Experiment = {
  claim:
    'Beginning at a low-level picture makes pictures right in their pixels and keeps what they show (MindEye §3.4, table 1).',
  axis: { title: 'Pictures', unit: '', labels: kinds },
}

const ofKind = (kind: Kind) => at('held out', kinds.indexOf(kind))

const lowLevelContrasts: readonly Contrast[] = (['high', 'low'] as const).map((other) => ({
  title: `combined against ${other}`,
  of: ofKind('combined'),
  against: ofKind(other),
}))

export const trainedExperiments = { width, mixing } satisfies Record<string, TrainedExperiment>
export const embeddingExperiment = { ...embedding, contrasts: embeddingContrasts }
export const lowLevelExperiment = { ...lowLevel, contrasts: lowLevelContrasts }

/** The experiments by name. */
export const experiments = { ...trainedExperiments, embedding, 'low-level': lowLevel } satisfies Record<
  string,
  Experiment
>
export type ExperimentName = keyof typeof experiments
