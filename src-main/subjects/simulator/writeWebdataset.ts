import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeNpy } from '../../formats/npy.ts'
import { encodePng } from '../../formats/images.ts'
import { Random } from '../../nn/random.ts'
import { design as designConstants } from './constants.ts'
import { trialsByColumn } from './design.ts'
import { zScoreSessions } from './responses.ts'
import { paintImages, writeTar } from './writeCommon.ts'
import type { LayoutJob } from './writeCommon.ts'

const samplesPerShard = 500

/**
 * MindEye's webdataset: one sample per image with its picture, image id, trials and the z-scored betas of its three repeats
 * (3, V) as float16, in shards of tar for train, val and test (the shared images).
 */
export async function writeWebdataset(job: LayoutJob): Promise<void> {
  const { experiment, subject, folder } = job
  const { design } = experiment
  const V = subject.voxels.length
  const scored = zScoreSessions(design, subject.betas, V)
  const trials = trialsByColumn(design)
  const ids = experiment.imageIds[subject.number - 1]

  const order = new Random(experiment.seed)
    .split('val', subject.number)
    .permutation(design.own)
    .map((i) => design.shared + i)
  const valCount = Math.max(1, Math.round(design.own * designConstants.valShare))
  const parts = {
    train: order.subarray(0, design.own - valCount),
    val: order.subarray(design.own - valCount),
    test: Int32Array.from({ length: design.shared }, (_, i) => i),
  }
  const root = join(folder, 'webdataset_avg_split')
  for (const [part, columns] of Object.entries(parts)) {
    mkdirSync(join(root, part), { recursive: true })
    for (let shard = 0; shard * samplesPerShard < columns.length; shard++) {
      const some = columns.subarray(shard * samplesPerShard, (shard + 1) * samplesPerShard)
      await writeTar(join(root, part, `${part}_${subject.id}_${shard}.tar`), async (tar) => {
        const shown = some.map((column) => ids[column])
        for await (const { index, png } of pngs(job, shown)) {
          const key = `sample${String(shown[index]).padStart(9, '0')}`
          await tar.add(`${key}.png`, png)
          await tar.add(`${key}.nsdgeneral.npy`, betaRows(scored, trials[some[index]], V))
          await tar.add(`${key}.coco73k.npy`, integers([shown[index]]))
          await tar.add(`${key}.trial.npy`, integers(trials[some[index]]))
          await tar.add(`${key}.num_uniques.npy`, integers([trials[some[index]].length]))
        }
      })
    }
  }
  const totals = Object.fromEntries(Object.entries(parts).map(([part, columns]) => [part, columns.length]))
  writeFileSync(join(root, `metadata_${subject.id}.json`), `${JSON.stringify({ totals })}\n`)
}

const integers = (values: number[]): Uint8Array =>
  encodeNpy({ dtype: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) })

/** The betas of an image's repeats (repeats, V). */
function betaRows(scored: Float32Array, trials: number[], V: number): Uint8Array {
  const data = new Float16Array(trials.length * V)
  trials.forEach((t, r) => data.set(scored.subarray(t * V, (t + 1) * V), r * V))
  return encodeNpy({ dtype: 'float16', shape: [trials.length, V], data })
}

/** Pictures as PNG, in order, a few encoded at a time. */
async function* pngs(job: LayoutJob, ids: Int32Array): AsyncGenerator<{ index: number; png: Uint8Array }> {
  const side = job.imageSize
  const waiting: Promise<Uint8Array>[] = []
  let index = 0
  for await (const data of paintImages(job, ids)) {
    waiting.push(encodePng({ data, width: side, height: side, channels: 3 }))
    if (waiting.length >= 4)
      yield { index: index++, png: await (waiting.shift() ?? Promise.reject(new Error('empty'))) }
  }
  for (const last of waiting) yield { index: index++, png: await last }
}
