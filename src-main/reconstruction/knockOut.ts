import { expectedRank, rankQueries, retrievalTask } from '../retrieval/pools.ts'
import type { HeldOutJob } from '../retrieval/repeats.ts'
import { cosineSimilarity } from '../retrieval/similarity.ts'
import { openSubject } from '../subjects/subject.ts'
import { loadDecoder } from '../training/decoder.ts'
import { foldFiles, loadTest } from '../training/foldFiles.ts'
import { foldFolder } from '../training/foldTest.ts'
import { choosePatterns, heldOutPatterns, voxelReader } from './patterns.ts'

export interface KnockOutJob {
  run: HeldOutJob
  trial: number
  /** Areas whose voxels are put to their mean. */
  without: string[]
}

/** What a pattern still finds. */
export interface Finding {
  /** Place of the right image in the pool; halves where tied. */
  rank: number
  /** Cosine with the right image's embedding, and its lead over the nearest other one. */
  similarity: number
  lead: number
  /** The most similar images, as stimuli of the subject. */
  best: { stimulus: string; similarity: number }[]
}

export interface KnockOut {
  /** (First) trial of the pattern. */
  trial: number
  /** Id of the seen image. */
  stimulus: string
  /** Distinct images to choose from. */
  pool: number
  /** Voxels that were put to their mean, of how many. */
  silenced: number
  voxels: number
  all: Finding
  without: Finding
}

const SHOWN = 5

/** What a held-out pattern finds with all its voxels, and with those of some areas put to their mean over the training trials. */
export async function knockOut({ run, trial, without }: KnockOutJob): Promise<KnockOut> {
  const subject = await openSubject(run.subjectFolder)
  try {
    const [pattern] = choosePatterns(heldOutPatterns(run, subject), [trial])
    const read = (areas: readonly string[]) => voxelReader(run, subject, run.subjectFolder, areas)(pattern)
    const [whole, part] = [read([]), read(without)]
    const files = foldFiles(foldFolder(run.runFolder, pattern.fold))
    const decoder = loadDecoder(files.model, run.config, whole.length)
    const [all, rest] = [whole, part].map((voxels) => decoder.predict(voxels))
    decoder.dispose()

    const { pool, image, width } = loadTest(files.test)
    const own = pool.indexOf(pattern.stimulus)
    const candidates = { count: pool.length, width, data: image }
    const find = (embedding: Float32Array): Finding => {
      const values = cosineSimilarity({ count: 1, width, data: embedding }, candidates)
      const similarity = { trials: 1, images: pool.length, values, ownImage: Int32Array.of(own) }
      const [rank] = rankQueries(retrievalTask(similarity, 'image'))
      const order = Array.from(values.keys()).sort((a, b) => values[b] - values[a])
      const other = order.find((column) => column !== own)
      return {
        rank: expectedRank(rank),
        similarity: values[own],
        lead: other === undefined ? 0 : values[own] - values[other],
        best: order
          .slice(0, SHOWN)
          .map((column) => ({ stimulus: subject.stimuli.ids[pool[column]], similarity: values[column] })),
      }
    }
    return {
      trial: pattern.trial,
      stimulus: subject.stimuli.ids[pattern.stimulus],
      pool: pool.length,
      silenced: part.reduce((sum, value, voxel) => sum + Number(value === 0 && whole[voxel] !== 0), 0),
      voxels: whole.length,
      all: find(all),
      without: find(rest),
    }
  } finally {
    subject.close()
  }
}
