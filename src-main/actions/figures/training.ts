import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError } from '../../base/errors.ts'
import { mean } from '../../evaluation/statistics.ts'
import type { PanelOf } from '../../figures/document.ts'
import type { MetricsLine } from '../../training/metricsLog.ts'
import { finishedRun } from '../finishedRun.ts'
import { runProvenance } from './gather.ts'
import type { Gathered, GatherPlace } from './gather.ts'

/** Names of what a run logs, as a reader knows them. */
const titles: Record<string, string> = {
  loss: 'loss',
  nce: 'contrastive loss',
  mse: 'regression loss',
  pixels: 'pixel loss',
}

/** The course of a training: a value by epoch, mean over its steps, for every fold. */
export async function gatherTraining(
  { workspace }: GatherPlace,
  source: PanelOf<'training'>['source'],
): Promise<Gathered> {
  const run = finishedRun(workspace, source.run)
  const value = source.value ?? 'loss'
  const path = join(workspace.runs.folderOf(run.id), 'metrics.jsonl')
  const lines = existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((text) => JSON.parse(text) as MetricsLine)
    : []
  const known = lines.filter((line) => value in line)
  if (!known.length)
    throw new MindEyeError({
      kind: 'state',
      where: path,
      expected: `a course of '${value}'`,
      found: lines.length ? `only ${Object.keys(lines[0]).join(', ')}` : 'none: the run was not trained step by step',
    })
  const folds = [...Map.groupBy(known, ({ fold }) => fold)]
  const series = folds.map(([fold, steps]) => ({
    name: folds.length > 1 ? `fold ${fold + 1}` : (titles[value] ?? value),
    points: [...Map.groupBy(steps, ({ epoch }) => epoch)].map(([epoch, same]) => ({
      x: epoch + 1,
      y: mean(same.map((line) => line[value])),
    })),
  }))
  return {
    data: { kind: 'lines', x: { title: 'epoch' }, y: { title: titles[value] ?? value }, series },
    provenance: runProvenance(workspace, run),
    caption: `Course of the training: ${titles[value] ?? value} by epoch, mean over its steps${folds.length > 1 ? `, ${folds.length} folds` : ''}.`,
  }
}
