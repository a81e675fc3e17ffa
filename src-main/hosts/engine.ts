import type { EngineMethods } from '../actions/methods.ts'
import { serve } from '../base/serve.ts'
import { loadBackend } from '../engine/backend.ts'
import { readOut } from '../evaluation/readOut.ts'
import { compareRuns } from '../evaluation/comparison.ts'
import { reconstructionValues, totalScores } from '../evaluation/reconstructionScores.ts'
import { scoreRun } from '../evaluation/runScores.ts'
import { knockOut } from '../reconstruction/knockOut.ts'
import { reconstruct } from '../reconstruction/reconstruct.ts'
import { decodeTrials } from '../retrieval/decodeTrials.ts'
import { embeddingMap } from '../retrieval/embeddingMap.ts'
import { galleryAnswers } from '../retrieval/galleryAnswers.ts'
import { embedGallerySlice } from '../retrieval/galleryEmbeddings.ts'
import { similarityOf } from '../retrieval/runSimilarity.ts'
import { completeImport } from '../training/importedRun.ts'
import { runTraining } from '../training/run.ts'

/** Entry of an engine process: TensorFlow calls block, so they run here and not beside the user interface. */
serve<EngineMethods>({
  ping: () => ({ pid: process.pid, node: process.version }),
  backend: () => loadBackend(),
  async train(job, options) {
    await loadBackend()
    return runTraining(job, options)
  },
  async completeImport(job) {
    await loadBackend()
    return completeImport(job)
  },
  async similarity(job) {
    await loadBackend()
    return similarityOf(job)
  },
  async scores({ ks, drawSeed, pool, ...job }) {
    await loadBackend()
    const similarity = await similarityOf(job)
    const { trials, images } = similarity
    return { trials, images, scores: scoreRun(similarity, ks, drawSeed, pool) }
  },
  async readOut(job, options) {
    await loadBackend()
    return readOut(job, options)
  },
  async scoreReconstructions(job, options) {
    await loadBackend()
    await reconstructionValues(job, options)
  },
  async reconstructionScores({ ks, pool, ...job }, options) {
    await loadBackend()
    return totalScores(await reconstructionValues(job, options), ks, job.seed, pool)
  },
  async compareRuns({ a, b, seed }, options) {
    await loadBackend()
    const compared = async ({ place, reconstructions }: typeof a) => ({
      similarity: await similarityOf(place),
      reconstructions: reconstructions && (await reconstructionValues(reconstructions, options)),
    })
    return compareRuns(await compared(a), await compared(b), seed)
  },
  async map(job, options) {
    await loadBackend()
    return embeddingMap(job, options)
  },
  async embedGallerySlice(job, options) {
    await loadBackend()
    return embedGallerySlice(job, options)
  },
  async galleryAnswers(job, options) {
    await loadBackend()
    return galleryAnswers(job, options)
  },
  async decode(job, options) {
    await loadBackend()
    return decodeTrials(job, options)
  },
  async reconstruct(job, options) {
    await loadBackend()
    return reconstruct(job, options)
  },
  async knockOut(job) {
    await loadBackend()
    return knockOut(job)
  },
})
