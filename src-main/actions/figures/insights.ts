import { MindEyeError } from '../../base/errors.ts'
import type { PanelOf } from '../../figures/document.ts'
import type { ExperimentResult } from '../experiments/result.ts'
import type { Gathered, GatherPlace } from './gather.ts'

/** An experiment's curve, from the job that made it. */
export async function gatherInsights(
  { workspace }: GatherPlace,
  source: PanelOf<'insights'>['source'],
): Promise<Gathered> {
  const job = workspace.jobs.get(source.job)
  if (job.action !== 'experiment' || job.state !== 'done')
    throw new MindEyeError({
      kind: 'state',
      where: `job ${job.id}`,
      expected: 'a finished experiment',
      found: `${job.action}, ${job.state}`,
    })
  const { claim, axis, conditions, seeds, measures, points } = job.result as unknown as ExperimentResult
  const measure = measures.find(({ id }) => id === source.measure) ?? measures[0]
  const series = [...Map.groupBy(points, (point) => point.series)].map(([name, own]) => ({
    name,
    points: own.map(({ x, scores }) => ({ x, y: scores[measure.id].mean, ci95: scores[measure.id].ci95 })),
  }))
  return {
    data: {
      kind: 'lines',
      x: { title: axis.title, ticks: axis.labels?.map((label, value) => ({ value, label })) },
      y: { title: measure.title },
      series,
      chance: measure.chance,
      estimates: { n: seeds.length, of: 'seeds' },
    },
    provenance: { job: job.id },
    caption: `${claim} ${conditions.join('; ')}; ${seeds.length} seeds, 95 % intervals over them. Dashed: chance.`,
  }
}
