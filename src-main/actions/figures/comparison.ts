import { METRIC_VERSION, metrics } from '../../evaluation/metrics.ts'
import type { MetricId } from '../../evaluation/metrics.ts'
import type { PanelOf } from '../../figures/document.ts'
import type { ScoreRow, ScoresData } from '../../figures/panels/scores.ts'
import type { RunRecord } from '../../workspace/index.ts'
import { evaluateAction } from '../evaluate.ts'
import type { Evaluation } from '../evaluate.ts'
import { finishedRun } from '../finishedRun.ts'
import { runConfig } from '../train.ts'
import { runProvenance } from './gather.ts'
import type { Gathered, GatherPlace } from './gather.ts'

/** A measure by its name on the page, of every run that has it. */
type Measures = Map<string, { run: RunRecord; row: Omit<ScoreRow, 'label'>; pool: number }[]>

/** Several runs measure by measure: retrieval in both directions, and the metrics of reconstructions that they share. */
export async function gatherComparison(
  { ctx, workspace, options }: GatherPlace,
  source: PanelOf<'comparison'>['source'],
): Promise<Gathered> {
  const runs = source.runs.map((id) => finishedRun(workspace, id))
  const measures: Measures = new Map()
  for (const run of runs) {
    const asked = { workspace: workspace.path, run: run.id, kind: 'combined', top: '1', seed: 42 } as const
    const evaluation = await evaluateAction.run(ctx, asked, options)
    for (const { title, row, pool } of measured(evaluation))
      measures.set(title, [...(measures.get(title) ?? []), { run, row, pool }])
  }
  const names = runNames(runs)
  const shared = [...measures].filter(([, found]) => found.length > 1)
  const groups: ScoresData['groups'] = shared.map(([title, found]) => ({
    title: `${title} · ${same(found.map(({ pool }) => pool))} images · n = ${same(found.map(({ row }) => row.n))}`,
    rows: found.map(({ run, row }) => ({ label: names.get(run.id)!, ...row })),
  }))
  const splits = [...new Set(runs.map((run) => runConfig(run).split))]
  return {
    data: { kind: 'scores', groups },
    provenance: {
      ...runProvenance(workspace, runs[0]),
      run: runs.map(({ id }) => id).join(' '),
      metricVersion: METRIC_VERSION,
    },
    caption:
      `Runs compared on held-out patterns; split ${splits.join(', ')}. Brackets and lines: 95 % intervals, bootstrapped over distinct images, ` +
      'each run by itself. Upright strokes: chance.',
  }
}

function measured({ retrieval, pool, images, pixcorr, ssim, twoway, distance, standIn }: Evaluation) {
  const top = ({ mean, ci95, n, chance }: ScoreRow | Evaluation['retrieval']['image']['top1']) => ({
    ...{ mean, ci95, n, chance },
  })
  const pictures = Object.entries({ pixcorr, ssim, ...twoway, ...distance, ...standIn }).flatMap(([id, score]) => {
    if (!score) return []
    const { title, better } = metrics[id as MetricId]
    const { mean, ci95, n, chance, p } = score
    const row = { mean, ci95, n, chance, p }
    return [{ title: better === 'lower' ? `${title} (lower is better)` : title, row, pool: images! }]
  })
  return [
    { title: 'Top-1, image from brain', row: top(retrieval.image.top1), pool },
    { title: 'Top-1, brain from image', row: top(retrieval.brain.top1), pool },
    ...pictures,
  ]
}

/** One number where all are equal, else all of them. */
const same = (values: readonly number[]): string => [...new Set(values)].join(' / ')

/** Presets where they tell the runs apart, else with the tail of their ids. */
function runNames(runs: readonly RunRecord[]): Map<string, string> {
  const isOwn = new Set(runs.map(({ preset }) => preset)).size === runs.length
  return new Map(runs.map(({ id, preset }) => [id, isOwn ? preset : `${preset} ${id.slice(-4)}`]))
}
