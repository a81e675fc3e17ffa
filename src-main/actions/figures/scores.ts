import { METRIC_VERSION, metrics } from '../../evaluation/metrics.ts'
import type { MetricId } from '../../evaluation/metrics.ts'
import type { MetricScore } from '../../evaluation/reconstructionScores.ts'
import type { TopScores } from '../../evaluation/runScores.ts'
import type { PanelOf } from '../../figures/document.ts'
import type { ScoreRow, ScoresData } from '../../figures/panels/scores.ts'
import { evaluateAction } from '../evaluate.ts'
import { finishedRun } from '../finishedRun.ts'
import { runProvenance } from './gather.ts'
import type { Gathered, GatherPlace } from './gather.ts'

const topRows = (scores: TopScores, prefix: string): ScoreRow[] =>
  Object.entries(scores).map(([top, { mean, ci95, n, chance }]) => ({
    label: `${prefix}${top.replace('top', 'top-')}`,
    ...{ mean, ci95, n, chance },
  }))

const metricRows = (scores: Partial<Record<MetricId, MetricScore>>): ScoreRow[] =>
  Object.entries(scores).map(([id, score]) => {
    const { title, better } = metrics[id as MetricId]
    const { mean, ci95, n, chance, p } = score
    return { label: better === 'lower' ? `${title} (lower is better)` : title, ...{ mean, ci95, n, chance, p } }
  })

/** What a run scores: retrieval in both directions, and the metrics of its reconstructions where there are some. */
export async function gatherScores(
  { ctx, workspace, options }: GatherPlace,
  source: PanelOf<'scores'>['source'],
): Promise<Gathered> {
  const run = finishedRun(workspace, source.run)
  const kind = source.reconstructions === false ? 'none' : 'combined'
  const asked = { workspace: workspace.path, run: run.id, kind, set: source.set, top: '1,3', seed: 42 } as const
  const evaluation = await evaluateAction.run(ctx, asked, options)
  const { retrieval, pool, trials, split, reconstructions, images, pixcorr, ssim, twoway, distance, standIn } =
    evaluation
  const groups: ScoresData['groups'] = [
    { title: `Image from brain · ${pool} images · n = ${trials}`, rows: topRows(retrieval.image, '') },
    {
      title: `Brain from image · ${pool} patterns · n = ${retrieval.brain.top1.n}`,
      rows: topRows(retrieval.brain, ''),
    },
  ]
  if (pixcorr)
    groups.push({
      title: `Reconstructions, ${evaluation.kind} · n = ${reconstructions}`,
      rows: metricRows({ pixcorr, ssim, ...twoway, ...distance }),
    })
  if (standIn && Object.keys(standIn).length)
    groups.push({ title: 'Stand-ins, by the pack’s own networks', rows: metricRows(standIn) })
  return {
    data: { kind: 'scores', groups },
    provenance: { ...runProvenance(workspace, run), pool, set: evaluation.set, metricVersion: METRIC_VERSION },
    caption:
      `Scores on held-out patterns; split ${split}. Brackets and lines: 95 % intervals, bootstrapped over distinct images. Upright strokes: ` +
      `chance${pixcorr ? `, of reconstructions what ones paired with other images score (${images} distinct images)` : ''}.`,
  }
}
