import * as v from 'valibot'
import { MindEyeError } from '../base/errors.ts'
import { groupItems, trainingFolds } from '../training/examples.ts'
import type { TrainingConfig } from '../training/fields.ts'
import type { TrainingMemory } from '../training/memory.ts'
import { availableBytes, decoderParameters, trainingMemory } from '../training/memory.ts'
import { stepsPerEpoch } from '../training/plan.ts'
import { checkPreset, defaultPack, parseSet } from '../training/presets.ts'
import { makeFolds } from '../subjects/splits.ts'
import type { Fold } from '../subjects/splits.ts'
import type { SubjectManifest, TrialTable } from '../subjects/subject.ts'
import { readManifest, readTrials } from '../subjects/subject.ts'
import { defineAction } from './action.ts'
import { choosePack, runNetworks } from './runPack.ts'
import { trainAction } from './train.ts'

/** Why a training cannot begin, with the name of the option or input at fault; some concern several. */
export interface Problem {
  field?: string
  expected: string
  found: string
  fix?: string
}

export interface SplitFacts {
  split: string
  folds: number
  /** Smallest and largest number of trials of a fold. */
  trainTrials: [number, number]
  testTrials: [number, number]
  /** Training examples of a fold, smallest and largest. */
  examples: [number, number]
  /** Held-out trials of all folds, and those of them whose picture the fold's training has seen. */
  heldOut: number
  seenInTraining: number
  /** What is to be known before a score of this split is believed. */
  warnings: string[]
}

export interface Estimate {
  subject: string
  preset: string
  /** Every option, as far as all of them are possible. */
  options?: TrainingConfig
  /** Empty when the training can begin. */
  problems: Problem[]
  split?: SplitFacts
  /** Numbers of one fold's decoder. */
  parameters?: number
  /** Steps of all folds; none for ridge. */
  steps?: number
  /** Bytes at the peak, of what they are, and what this machine has to give now. */
  memory?: { needed: number; available: number; parts: TrainingMemory }
}

const { resume: _, subject: __, ...trainEntries } = trainAction.input.entries

export const estimateAction = defineAction({
  name: 'estimate',
  summary: 'Tell before a training what it will need and do: memory, parameters, steps and folds.',
  input: v.object({
    ...trainEntries,
    subject: v.pipe(v.string(), v.description('id of the subject')),
  }),
  async run(ctx, input): Promise<Estimate> {
    const workspace = await ctx.workspace(input.workspace)
    const { folder } = workspace.subjects.get(input.subject)
    const manifest = readManifest(folder)
    const overrides = { ...parseSet(input.set ?? []), ...(input.epochs && { epochs: String(input.epochs) }) }
    const checked = checkPreset(input.preset, overrides)
    const problems: Problem[] = []
    const attempt = <T>(field: string | undefined, work: () => T): T | undefined => {
      try {
        return work()
      } catch (error) {
        if (!(error instanceof MindEyeError)) throw error
        const { expected, found, fix } = error.parts
        problems.push({ field, expected, found, fix })
        return undefined
      }
    }
    const trials = readTrials(folder, manifest)
    const name = input.split ?? manifest.defaultSplit
    const used = 'config' in checked ? checked.config : ({ items: 'trial', samples: 0 } as const)
    const folds =
      attempt('split', () => makeFolds(trials, name, input.seed)) &&
      attempt('samples', () => trainingFolds(trials, name, input.seed, used))
    const split = folds && splitFacts(manifest, trials, name, folds)
    const answer: Estimate = { subject: input.subject, preset: input.preset, problems, split: split?.facts }
    if ('problems' in checked) {
      problems.push(...checked.problems.map(({ option, ...rest }) => ({ field: option, ...rest })))
      return answer
    }
    const { config } = checked
    const pack = input.pack ?? defaultPack(input.preset, config)
    attempt('pack', () => runNetworks(config, pack === undefined ? undefined : choosePack(workspace, pack)))
    const sized = attempt(undefined, () => ({
      parameters: decoderParameters(config, manifest.voxelCount, manifest.image),
      parts: trainingMemory(config, manifest.voxelCount, manifest.trialCount, manifest.image),
    }))
    if (sized) {
      const needed = Object.values<number>({ ...sized.parts }).reduce((sum, bytes) => sum + bytes, 0)
      const available = availableBytes()
      answer.parameters = sized.parameters
      answer.memory = { needed, available, parts: sized.parts }
      if (needed > available)
        problems.push({
          field: 'memory',
          expected: `${gigabytes(needed)} for this training`,
          found: `${gigabytes(available)} available`,
          fix: 'Close other programs, or choose a smaller model (hidden, tokens) or batch.',
        })
    }
    if (split) {
      const examples = split.trainStimuli.map((stimuli) =>
        config.items === 'trial' ? stimuli.count : stimuli.distinct,
      )
      split.facts.examples = range(examples)
      const steps = examples.map((count) => config.epochs * stepsPerEpoch(count, config.batchSize))
      answer.steps = config.method === 'ridge' ? 0 : steps.reduce((a, b) => a + b, 0)
    }
    return { ...answer, options: config }
  },
  format: formatEstimate,
  exitCode: ({ problems }) => (problems.length ? 1 : 0),
})

/** The folds of a split in numbers, and what is doubtful about them. */
function splitFacts(manifest: SubjectManifest, trials: TrialTable, split: string, folds: readonly Fold[]) {
  const trainStimuli = folds.map(({ train }) => ({
    count: train.length,
    distinct: groupItems(trials, train, 'stimulus').count,
  }))
  let seenInTraining = 0
  for (const { train, test } of folds) {
    const shown = new Set(train.map((row) => trials.stimulus[row]))
    for (const row of test) if (shown.has(trials.stimulus[row])) seenInTraining++
  }
  const heldOut = folds.reduce((sum, { test }) => sum + test.length, 0)
  const facts: SplitFacts = {
    split,
    folds: folds.length,
    trainTrials: range(folds.map(({ train }) => train.length)),
    testTrials: range(folds.map(({ test }) => test.length)),
    examples: range(trainStimuli.map(({ count }) => count)),
    heldOut,
    seenInTraining,
    warnings: [
      ...(seenInTraining
        ? [
            `${seenInTraining} of ${heldOut} held-out trials show a picture that training sees, too: scores say little about new pictures.`,
          ]
        : []),
      ...(split === 'shipped' ? shippedLeaks(manifest) : []),
    ],
  }
  return { facts, trainStimuli }
}

/** What the checks at import found leaking between the shipped parts, beside shared pictures. */
const shippedLeaks = ({ checks }: SubjectManifest): string[] =>
  checks
    .filter(({ code, level, ok }) => !ok && level === 'warning' && code.startsWith('leakage.') && code !== SHARED)
    .map(({ title, found }) => `${title}: ${found}.`)

const SHARED = 'leakage.stimulus'

const range = (numbers: readonly number[]): [number, number] => [Math.min(...numbers), Math.max(...numbers)]
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`
const span = ([low, high]: [number, number]): string => (low === high ? `${low}` : `${low}–${high}`)

function formatEstimate({ problems, split, parameters, steps, memory }: Estimate): string {
  const lines = [
    ...(split
      ? [
          `split       ${split.split}: ${split.folds} ${split.folds === 1 ? 'fold' : 'folds'}, ${span(split.trainTrials)} training and ${span(split.testTrials)} held-out trials`,
        ]
      : []),
    ...(parameters === undefined ? [] : [`parameters  ${parameters.toLocaleString('en')}`]),
    ...(steps ? [`steps       ${steps.toLocaleString('en')}`] : []),
    ...(memory ? [`memory      ${gigabytes(memory.needed)} of ${gigabytes(memory.available)} available`] : []),
    ...(split?.warnings ?? []).map((warning) => `warning: ${warning}`),
    ...problems.map(
      ({ field, expected, found, fix }) =>
        `${field ? `${field}: ` : ''}expected ${expected}, found ${found}.${fix ? ` ${fix}` : ''}`,
    ),
  ]
  return lines.join('\n')
}
