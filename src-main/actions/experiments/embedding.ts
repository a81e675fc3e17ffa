import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../../base/files.ts'
import type { Progress, RunOptions } from '../../base/progress.ts'
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

/** Reads properties of new scenes from the embeddings of a pack's networks; each seed draws its own scenes and is kept. */
export async function runEmbedding(
  ctx: ActionContext,
  workspace: Workspace,
  { pack: id, seeds, scenes }: EmbeddingJob,
  { signal, progress }: RunOptions,
): Promise<ExperimentResult> {
  const { folder, fingerprint } = choosePack(workspace, id)
  const pack = openPack(folder)
  const networks = { clip: pack.pathOf('image_encoder'), autoencoder: pack.pathOf('vae') }
  const results: ReadOut[] = []
  for (const seed of seeds) {
    const file = keptFile(workspace, [fingerprint, scenes, seed])
    if (!existsSync(file)) {
      const onProgress = (report: Progress) =>
        progress({
          ...report,
          done: results.length * report.total + report.done,
          total: seeds.length * report.total,
        })
      const found = await ctx.engine().call('readOut', { ...networks, ...scenes, seed }, { signal, onProgress })
      mkdirSync(dirname(file), { recursive: true })
      writeFileAtomic(file, JSON.stringify(found))
    }
    results.push(JSON.parse(readFileSync(file, 'utf8')) as ReadOut)
  }
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

/** Where a seed's figures are kept, by all that they depend on: nobody waits for them twice. */
const keptFile = (workspace: Workspace, determines: unknown[]): string => {
  const hash = createHash('sha256').update(JSON.stringify(determines)).digest('hex').slice(0, 10)
  return join(workspace.path, 'experiments', `read-out-${hash}.json`)
}
