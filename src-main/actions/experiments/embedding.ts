import type { RunOptions } from '../../base/progress.ts'
import { embeddingExperiment, properties, representations } from '../../evaluation/experiments.ts'
import type { ReadOut } from '../../evaluation/readOut.ts'
import { openPack } from '../../models/pack.ts'
import type { Workspace } from '../../workspace/index.ts'
import type { ActionContext } from '../action.ts'
import { choosePack } from '../runPack.ts'
import type { ExperimentResult, Measure, Point } from './result.ts'
import { contrastResults, inWords, seedScore } from './result.ts'

export interface EmbeddingJob {
  pack: string
  seeds: number[]
  /** Scenes to fit on, and to judge by. */
  scenes: { train: number; test: number }
}

/** Reads properties of new scenes from the embeddings of a pack's networks; each seed draws its own scenes. */
export async function runEmbedding(
  ctx: ActionContext,
  workspace: Workspace,
  { pack: id, seeds, scenes }: EmbeddingJob,
  { signal, progress }: RunOptions,
): Promise<ExperimentResult> {
  const pack = openPack(choosePack(workspace, id).folder)
  const networks = { clip: pack.pathOf('image_encoder'), autoencoder: pack.pathOf('vae') }
  const results: ReadOut[] = []
  for (const seed of seeds)
    results.push(
      await ctx.engine().call(
        'readOut',
        { ...networks, ...scenes, seed },
        {
          signal,
          onProgress: (report) =>
            progress({
              ...report,
              done: results.length * report.total + report.done,
              total: seeds.length * report.total,
            }),
        },
      ),
    )
  const points = representations.flatMap((series) =>
    properties.map((property, x): Point => {
      const score = seedScore(results.map((result) => result[series][property]))
      return { series, x, runs: [], scores: { told: score } }
    }),
  )
  const measures: Measure[] = [{ id: 'told', title: 'share told by a linear map', chance: 0 }]
  const { claim, axis, contrasts: asked } = embeddingExperiment
  const contrasts = contrastResults(asked, points, measures)
  const conditions = [
    `pack ${id}`,
    `ridge on ${scenes.train} scenes of the simulated world`,
    `judged on ${scenes.test} others`,
    'share: R², of the category what is above chance',
  ]
  return {
    ...{ experiment: 'embedding', claim, axis, conditions, seeds, measures, points, contrasts },
    summary: inWords(contrasts, measures),
  }
}
