import { MindEyeError } from '../../base/errors.ts'
import type { RunOptions } from '../../base/progress.ts'
import { lowLevelExperiment } from '../../evaluation/experiments.ts'
import { metrics } from '../../evaluation/metrics.ts'
import type { MetricId } from '../../evaluation/metrics.ts'
import type { MetricScore } from '../../evaluation/reconstructionScores.ts'
import { mean } from '../../evaluation/statistics.ts'
import { Random } from '../../nn/random.ts'
import { kinds } from '../../reconstruction/sets.ts'
import type { Kind } from '../../reconstruction/sets.ts'
import { readManifest } from '../../subjects/subject.ts'
import { decodesPictures } from '../../training/fields.ts'
import { presetConfig } from '../../training/presets.ts'
import type { Workspace } from '../../workspace/index.ts'
import type { ActionContext } from '../action.ts'
import { ensureRun } from '../ensureRun.ts'
import { evaluateAction } from '../evaluate.ts'
import type { Evaluation } from '../evaluate.ts'
import { reconstructAction } from '../reconstruct.ts'
import { runPlace } from '../runPlace.ts'
import { validateInput } from '../validate.ts'
import { checkHighLevel, optionsInWords, partOf } from './parts.ts'
import type { ExperimentResult, Measure, Point } from './result.ts'
import { contrastResults, inWords, seedScore } from './result.ts'

export interface LowLevelJob {
  subject: string
  preset: string
  /** Options of the preset that are changed, by name. */
  set: Record<string, string>
  /** The same of the low-level decoder, which runs that decode pictures by themselves do not need. */
  low: { preset: string; set: Record<string, string> }
  split?: string
  pack?: string
  /** How many held-out patterns to reconstruct; all when left out. */
  trials?: number
  seeds: number[]
}

/** The pictures of one seed: the runs behind them and what each kind scores. */
interface Scored {
  high: string
  low: string
  evaluations: Record<Kind, Evaluation>
}

/** Trains both decoders with every seed where that is not done yet, makes the pictures that are missing, and scores each kind. */
export async function runLowLevel(
  ctx: ActionContext,
  workspace: Workspace,
  job: LowLevelJob,
  options: RunOptions,
): Promise<ExperimentResult> {
  const { subject, preset, set, low, pack, seeds } = job
  const split = job.split ?? readManifest(workspace.subjects.get(subject).folder).defaultSplit
  const config = presetConfig(preset, set)
  checkHighLevel(preset, config.method)
  const isOneRun = decodesPictures(config)
  const stages = ['high level', 'low level', 'pictures', ...kinds].length
  const scored: Scored[] = []
  for (const seed of seeds) {
    const at = (stage: number, name: string) =>
      partOf(options, scored.length * stages + stage, seeds.length * stages, `${name}, seed ${seed}`)
    const wanted = { subject, split, seed, pack }
    const high = await ensureRun(ctx, workspace, { ...wanted, preset, set }, at(0, 'high level'))
    const lowRun = isOneRun ? undefined : await ensureRun(ctx, workspace, { ...wanted, ...low }, at(1, 'low level'))
    const trials = job.trials === undefined ? undefined : await drawTrials(ctx, workspace, high, job.trials)
    const asked = { workspace: workspace.path, run: high, lowRun, kind: 'all', trials }
    const made = await reconstructAction.run(ctx, await validateInput(reconstructAction, asked), at(2, 'pictures'))
    const evaluations = {} as Scored['evaluations']
    for (const [i, kind] of kinds.entries()) {
      const scoring = { workspace: workspace.path, run: high, kind, set: made.set, top: '1' }
      const input = await validateInput(evaluateAction, scoring)
      evaluations[kind] = await evaluateAction.run(ctx, input, at(3 + i, `scores of ${kind}`))
    }
    scored.push({ high, low: lowRun ?? high, evaluations })
  }
  return summarise(job, split, isOneRun, scored)
}

function summarise(job: LowLevelJob, split: string, isOneRun: boolean, scored: readonly Scored[]): ExperimentResult {
  const { subject, preset, set, low, trials: _, seeds } = job
  const cellsOf = (kind: Kind) => scored.map(({ evaluations }) => scoresOf(evaluations[kind]))
  const ids = Object.keys(cellsOf('combined')[0]) as MetricId[]
  const points = kinds.map((kind, x): Point => {
    const cells = cellsOf(kind)
    const runs = scored.flatMap(
      ({ high, low }) => ({ low: [low], high: [high], combined: [...new Set([high, low])] })[kind],
    )
    return {
      series: 'held out',
      x,
      runs,
      scores: Object.fromEntries(ids.map((id) => [id, seedScore(cells.map((cell) => cell[id]!.mean))])),
    }
  })
  const measures = ids.map((id): Measure => {
    const chance = mean(kinds.flatMap((kind) => cellsOf(kind).map((cell) => cell[id]!.chance)))
    return { id, title: metrics[id].title, chance }
  })
  const counts = [...new Set(scored.map(({ evaluations }) => evaluations.combined.reconstructions!))]
  const conditions = [
    subject,
    `preset ${optionsInWords(preset, set)}`,
    ...(isOneRun ? [] : [`low level: preset ${optionsInWords(low.preset, low.set)}`]),
    `split ${split}`,
    `${counts.join(' or ')} held-out patterns`,
  ]
  const { claim, axis, contrasts: asked } = lowLevelExperiment
  const contrasts = contrastResults(asked, points, measures)
  const summary = inWords(contrasts, measures)
  return { experiment: 'low-level', claim, axis, conditions, seeds, measures, points, contrasts, summary }
}

/** Metrics that are the better the higher, of pixels and of meaning; those whose network the pack lacks are absent. */
function scoresOf({ pixcorr, ssim, twoway, standIn }: Evaluation): Partial<Record<MetricId, MetricScore>> {
  return { pixcorr, ssim, ...twoway, ...standIn }
}

/** As many of a run's held-out patterns, drawn alike for every run; fewer of them are always a part of more. */
async function drawTrials(ctx: ActionContext, workspace: Workspace, run: string, count: number): Promise<number[]> {
  const { trial } = await ctx.engine().call('similarity', runPlace(workspace, workspace.runs.get(run)))
  if (count <= trial.length) {
    const order = new Random(1).split('trials').permutation(trial.length)
    return [...order.slice(0, count)].map((at) => trial[at])
  }
  throw new MindEyeError({
    kind: 'input',
    where: '--trials',
    expected: `at most the ${trial.length} held-out patterns of ${run}`,
    found: `${count}`,
    fix: 'Leave it out to take them all.',
  })
}
