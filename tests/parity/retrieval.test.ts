import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { openSafetensors } from '../../src-main/formats/safetensors.ts'
import { openFile } from '../../src-main/formats/source.ts'
import { hitWithin, rankQueries, retrievalTask } from '../../src-main/retrieval/pools.ts'
import type { Direction } from '../../src-main/retrieval/pools.ts'
import { cosineSimilarity, unitBlocks, type Embeddings } from '../../src-main/retrieval/similarity.ts'
import { topK } from '../../src-main/retrieval/topk.ts'

const root = join(process.env.MINDEYE_FIXTURES ?? 'tests/fixtures', 'retrieval')
const cases = existsSync(root) ? readdirSync(root).sort() : []

// The official code's similarity helper returns the transpose: its "fwd" asks each CLIP image for its brain pattern.
const directions: Record<'fwd' | 'bwd', Direction> = { fwd: 'brain', bwd: 'image' }

interface CaseFile {
  config: { n: number; d: number } & Record<string, number>
  tolerances: { atol: number; rtol: number }
}

beforeAll(() => loadBackend())

it(`finds recorded cases in ${root}`, () => {
  expect(cases.length).toBeGreaterThan(0)
})

describe.each(cases)('%s', (name) => {
  const { config, tolerances } = JSON.parse(readFileSync(join(root, name, 'case.json'), 'utf8')) as CaseFile
  const file = openSafetensors(openFile(join(root, name, 'tensors.safetensors')))
  const tensor = (key: string) => file.arrays.find((entry) => entry.name === key)!.read()
  const embeddings = (key: string): Embeddings => {
    const { shape, data } = tensor(key)
    return { count: shape[0], width: shape[1], data: data as Float32Array }
  }
  const ownImage = Int32Array.from({ length: config.n }, (_, i) => i)

  it('gives the recorded similarities', () => {
    const { shape, data } = tensor('fwd_sim_first8rows')
    const similarity = cosineSimilarity(embeddings('clip'), embeddings('brain'))
    const reference = data as Float32Array
    const bound = tolerances.atol + tolerances.rtol * Math.max(...reference.map(Math.abs))
    expect(reference.length).toBe(shape[0] * config.n)
    for (let i = 0; i < reference.length; i++) expect(Math.abs(similarity[i] - reference[i])).toBeLessThanOrEqual(bound)
  })

  it.each(['fwd', 'bwd'] as const)('gives the recorded %s argmax and top-k', async (label) => {
    const values = cosineSimilarity(embeddings('brain'), embeddings('clip'))
    const task = retrievalTask({ trials: config.n, images: config.n, values, ownImage }, directions[label])
    const [queries, gallery] = label === 'fwd' ? ['clip', 'brain'] : ['brain', 'clip']
    const best = await topK(embeddings(queries), unitBlocks(embeddings(gallery)), 1)
    expect([...best.index]).toEqual([...(tensor(`${label}_argmax`).data as Int32Array)])

    const ranks = rankQueries(task)
    const recorded = Object.keys(config).filter((key) => key.startsWith(`${label}_top`))
    expect(recorded.length).toBeGreaterThan(0)
    for (const key of recorded) {
      const k = Number(key.slice(`${label}_top`.length))
      const share = ranks.reduce((sum, rank) => sum + hitWithin(rank, k), 0) / ranks.length
      expect(share).toBeCloseTo(config[key], 6)
    }
  })
})
