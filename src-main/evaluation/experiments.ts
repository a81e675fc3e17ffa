import { stepsPerEpoch } from '../training/plan.ts'
import type { TrainingConfig } from '../training/fields.ts'

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

/** An experiment behind a claim of the paper (arXiv 2305.18274): trainings on a grid, each with several seeds. */
export interface Experiment {
  name: string
  claim: string
  /** What the axis shows. */
  axis: { title: string; unit: string }
  /** The values on the axis, ascending, for a study with this many training examples. */
  values(examples: number): number[]
  cells(values: readonly number[], examples: number, config: TrainingConfig): Cell[]
  contrasts(values: readonly number[]): Contrast[]
}

const mixings = ['none', 'mixup', 'mixco'] as const

const width: Experiment = {
  name: 'width',
  claim: 'A very big linear layer does not overfit and helps (MindEye §3.1, appendix A.4).',
  axis: { title: 'Hidden width of voxel2clip', unit: 'units' },
  values: () => [32, 128, 512, 2048, 4096],
  cells: (values) => values.map((x) => ({ series: 'held out', x, set: { hidden: `${x}` } })),
  contrasts: (values) => {
    const [low, high] = [values[0], values[values.length - 1]]
    return [
      { title: `${high} units against ${low}`, of: at('held out', high), against: at('held out', low) },
      ...(values.length > 2
        ? [
            {
              title: `${high} units against ${values[values.length - 2]}`,
              of: at('held out', high),
              against: at('held out', values[values.length - 2]),
            },
          ]
        : []),
    ]
  },
}

const mixing: Experiment = {
  name: 'mixing',
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
    [values[0], values[values.length - 1]].flatMap((x) => [
      { title: `mixco against none with ${x} examples`, of: at('mixco', x), against: at('none', x) },
      { title: `mixco against mixup with ${x} examples`, of: at('mixco', x), against: at('mixup', x) },
    ]),
}

const at = (series: string, x: number) => ({ series, x })

/** The experiments by name. */
export const experiments = { width, mixing } satisfies Record<string, Experiment>
export type ExperimentName = keyof typeof experiments
