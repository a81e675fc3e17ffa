import type { RunOptions } from '../../base/progress.ts'
import { trainedExperiments } from '../../evaluation/experiments.ts'
import { directions } from '../../retrieval/pools.ts'
import type { Direction } from '../../retrieval/pools.ts'
import { readManifest, readTrials } from '../../subjects/subject.ts'
import { groupItems, trainingFolds } from '../../training/examples.ts'
import { presetConfig } from '../../training/presets.ts'
import type { Workspace } from '../../workspace/index.ts'
import type { ActionContext } from '../action.ts'
import { ensureRun } from '../ensureRun.ts'
import { evaluateAction } from '../evaluate.ts'
import { checkHighLevel, optionsInWords, partOf } from './parts.ts'
import type { ExperimentResult, Measure, Point } from './result.ts'
import { contrastResults, inWords, seedScore } from './result.ts'

/** Without commas, for sentences. */
const titles: Record<Direction, string> = { image: 'top-1 image given the brain', brain: 'top-1 brain given the image' }

export interface TrainedJob {
  name: keyof typeof trainedExperiments
  subject: string
  preset: string
  split?: string
  pack?: string
  /** Options of the preset that are changed in all trainings, by name. */
  set: Record<string, string>
  /** Places on the axis; the experiment's own when left out. */
  values?: number[]
  seeds: number[]
}

/** Trains every cell of the grid that is not there yet, cell by cell, and scores all of them. */
export async function runTrained(
  ctx: ActionContext,
  workspace: Workspace,
  job: TrainedJob,
  options: RunOptions,
): Promise<ExperimentResult> {
  const { name, subject, preset, set, pack, seeds } = job
  const experiment = trainedExperiments[name]
  const { folder } = workspace.subjects.get(subject)
  const manifest = readManifest(folder)
  const split = job.split ?? manifest.defaultSplit
  const config = presetConfig(preset, set)
  checkHighLevel(preset, config.method)
  const trials = readTrials(folder, manifest)
  const examples = Math.min(
    ...trainingFolds(trials, split, 1, config).map(({ train }) => groupItems(trials, train, config.items).count),
  )
  const values = job.values ?? experiment.values(examples)
  const cells = experiment.cells(values, examples, config)
  const total = cells.length * seeds.length
  const points: Point[] = []
  let [chance, conditions] = [0, [] as string[]]
  for (const { series, x, set: own } of cells) {
    const runs: string[] = []
    const tops = { image: [] as number[], brain: [] as number[] }
    for (const seed of seeds) {
      const place = `${series}, ${x} ${experiment.axis.unit}, seed ${seed}`
      const progress = partOf(options, points.length * seeds.length + runs.length, total, place)
      const run = await ensureRun(
        ctx,
        workspace,
        // Scored by what is retrieved: decoding pictures, too, would only take time.
        { subject, preset, set: { pictures: 'false', ...set, ...own }, split, seed, pack },
        progress,
      )
      const scoring = { workspace: workspace.path, run, kind: 'none', top: '1', seed: 1 } as const
      const scored = await evaluateAction.run(ctx, scoring, { signal: options.signal, progress() {} })
      for (const direction of directions) tops[direction].push(scored.retrieval[direction].top1.mean)
      chance = scored.retrieval.image.top1.chance
      conditions = [
        subject,
        `preset ${optionsInWords(preset, set)}`,
        `split ${split}`,
        `${scored.trials} held-out patterns`,
        `pool of ${scored.pool}`,
      ]
      runs.push(run)
    }
    points.push({ series, x, runs, scores: { image: seedScore(tops.image), brain: seedScore(tops.brain) } })
  }
  const measures = directions.map((id): Measure => ({ id, title: titles[id], chance }))
  const contrasts = contrastResults(experiment.contrasts(values), points, measures)
  const { claim, axis } = experiment
  const summary = inWords(contrasts, measures)
  return { experiment: name, claim, axis, conditions, seeds, measures, points, contrasts, summary }
}
