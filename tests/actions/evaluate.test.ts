import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compareAction } from '../../src-main/actions/compare.ts'
import { createContext } from '../../src-main/actions/context.ts'
import { evaluateAction } from '../../src-main/actions/evaluate.ts'
import type { Evaluation } from '../../src-main/actions/evaluate.ts'
import { packAction } from '../../src-main/actions/pack.ts'
import { validateInput } from '../../src-main/actions/validate.ts'
import type { EvaluationCatalogue, KindValues, ListedSet } from '../../src-main/api/routes/evaluation.ts'
import { createApp } from '../../src-main/app.ts'
import { METRIC_VERSION, metricIds } from '../../src-main/evaluation/metrics.ts'
import { mean } from '../../src-main/evaluation/statistics.ts'
import { listSets } from '../../src-main/reconstruction/sets.ts'
import { openSubject } from '../../src-main/subjects/subject.ts'
import type { Subject } from '../../src-main/subjects/subject.ts'
import { fixtureCases } from '../support/fixtures.ts'
import { writeReconstructions } from '../support/reconstructions.ts'
import { trainTwo } from '../support/twoRuns.ts'

const base = mkdtempSync(join(tmpdir(), 'mindeye-evaluate-'))
const workspace = join(base, 'workspace')
const ctx = createContext(() => {})
const quiet = { signal: new AbortController().signal, progress: () => {} }

let runs: { mindeye: string; ridge: string }
let subject: Subject
const folderOf = (run: string) => join(workspace, 'runs', run)

type Input = Partial<Parameters<typeof evaluateAction.run>[1]>
const evaluate = async (input: Input): Promise<Evaluation> =>
  evaluateAction.run(ctx, await validateInput(evaluateAction, { workspace, run: runs.mindeye, ...input }), quiet)
const compare = async (input: Partial<Parameters<typeof compareAction.run>[1]>) =>
  compareAction.run(
    ctx,
    await validateInput(compareAction, { workspace, run: runs.mindeye, against: runs.ridge, ...input }),
    quiet,
  )

beforeAll(async () => {
  const demo = await trainTwo(ctx, workspace, 24)
  runs = demo
  subject = await openSubject(join(workspace, 'subjects', demo.subject))
}, 240_000)
afterAll(async () => {
  subject?.close()
  await ctx.close()
  rmSync(base, { recursive: true, force: true })
})

// Each set is scored by an engine process of its own, which a busy machine takes long to start.
describe('evaluate', { timeout: 240_000 }, () => {
  it('without reconstructions gives retrieval, and says how to make them', async () => {
    const result = await evaluate({})
    expect(Object.keys(result.retrieval)).toEqual(['image', 'brain'])
    expect(result.note).toContain(`mindeye reconstruct --workspace ${workspace} --run ${runs.mindeye}`)
    expect(result).not.toHaveProperty('pixcorr')
    expect(evaluateAction.format!(result)).toContain('no reconstructions yet')
    expect(await evaluate({ kind: 'none' })).not.toHaveProperty('note')
    await expect(evaluate({ set: 'nowhere' })).rejects.toThrow(/mindeye reconstruct/)
  })

  it('scores a set of each kind, with interval, chance and test', async () => {
    await writeReconstructions(folderOf(runs.mindeye), subject, { low: 0.3, high: 0.15, combined: 0.7 })
    const [good, poor] = [await evaluate({}), await evaluate({ kind: 'high' })]
    const [record] = listSets(folderOf(runs.mindeye))
    expect(good).toMatchObject({
      ...{ kind: 'combined', set: record.id, reconstructions: 12, images: 12, repeats: 'average', seed: 42 },
    })
    for (const score of [good.pixcorr!, good.ssim!, good.twoway!.pixel!]) {
      expect(score).toMatchObject({ n: 12, version: METRIC_VERSION })
      expect(score.ci95[0]).toBeLessThanOrEqual(score.mean)
      expect(score.ci95[1]).toBeGreaterThanOrEqual(score.mean)
      expect(score.chance).toBeLessThan(score.mean)
      expect(score.p).toBeLessThan(0.01)
    }
    expect(good.twoway!.pixel!.chance).toBe(0.5)
    expect(good.pixcorr!.mean).toBeGreaterThan(0.7)
    expect(poor.pixcorr!.mean).toBeLessThan(0.5)
    expect(good.retrieval.pixel!.top1).toMatchObject({ n: 12, chance: 1 / 12 })
    expect(good.retrieval.pixel!.top1.mean).toBeGreaterThan(poor.retrieval.pixel!.top1.mean)
    const { retrieval } = await evaluate({ top: '2', pool: 4 })
    expect(retrieval.pixel!.top2.chance).toBe(0.5)
    // Each missing network with what to put where.
    expect(good.missing!.map(({ part, metrics }) => [part, ...metrics])).toEqual([
      ['alexnet', 'alexnet2', 'alexnet5'],
      ['inception_v3', 'inception'],
      ['image_encoder', 'clip'],
      ['efficientnet_b1', 'efficientnet'],
      ['swav', 'swav'],
    ])
    expect(good.standIn).toEqual({})
    expect(evaluateAction.format!(good)).not.toContain('tand-in')
    expect(evaluateAction.format!(good)).toMatch(
      /Alex\(2\), Alex\(5\): needs AlexNet .* metrics\/alexnet… \(from torchvision/,
    )
    await expect(evaluate({ kind: 'low', set: record.id.replace(/./, 'x') })).rejects.toThrow(record.id)
  })

  it('keeps what it computed, and computes anew what another seed or another trial changes', async () => {
    const kept = () => readdirSync(join(folderOf(runs.mindeye), 'retrieval')).filter((n) => n.startsWith('reconstr'))
    const before = kept()
    const first = await evaluate({})
    expect(await evaluate({})).toEqual(first)
    expect(kept()).toEqual(before)
    const other = await evaluate({ seed: 7 })
    expect(kept()).toHaveLength(before.length + 1)
    expect(other.pixcorr!.mean).toBe(first.pixcorr!.mean)
    expect(other.pixcorr!.ci95).not.toEqual(first.pixcorr!.ci95)
    await writeReconstructions(folderOf(runs.ridge), subject, { low: 0.5 }, { trials: 5 })
    const part = { run: runs.ridge, kind: 'low' } as const
    expect(await evaluate(part)).toMatchObject({ reconstructions: 5, images: 5 })
    await writeReconstructions(folderOf(runs.ridge), subject, { low: 0.5 }, { trials: 6 })
    expect(await evaluate(part)).toMatchObject({ reconstructions: 6, images: 6 })
    expect((await evaluate({ run: runs.ridge })).note).toMatch(/no reconstructions of kind combined \(there are low\)/)
  })

  it('takes networks from a pack, and no other encoder for CLIP ViT-L/14', async () => {
    const pack = join(base, 'pack')
    mkdirSync(pack)
    const [clip] = fixtureCases('hf_models', (name) => name.startsWith('clip_vision'))
    cpSync(join(clip.folder, 'model'), join(pack, 'image_encoder'), { recursive: true })
    await packAction.run(
      ctx,
      await validateInput(packAction, { workspace, do: 'add', target: pack, id: 'tiny' }),
      quiet,
    )
    const result = await evaluate({ pack: 'tiny' })
    expect(result.twoway).not.toHaveProperty('clip')
    const found = result.missing!.map(({ part, found }) => [part, found])
    expect(found).toContainEqual(['image_encoder', expect.stringMatching(/^another encoder, with width \d+$/)])
    expect(found).toContainEqual(['alexnet', `nothing in ${pack}`])
    expect(Object.keys(result.standIn!)).toEqual(['encoder'])
  })

  it('names the demo pack’s own networks as stand-ins, apart from the published metrics', async () => {
    const result = await evaluate({ pack: 'demo' })
    expect(Object.keys(result.standIn!)).toEqual(['object', 'scene', 'encoder'])
    expect(result.standIn!.object).toMatchObject({ n: 12, version: METRIC_VERSION })
    expect(Object.keys(result.twoway!)).toEqual(['pixel'])
    expect(result.missing!.map(({ part }) => part)).not.toContain('classifier')
    const text = evaluateAction.format!(result)
    expect(text).toMatch(/Stand-in object +\d\.\d{3} +\[/)
    expect(text).toContain('not to be compared with published scores')
    const { scores } = await compare({ against: runs.mindeye, againstKind: 'high', pack: 'demo' })
    expect(scores.map(({ score }) => score)).toContain('object')
  })
})

describe('compare', { timeout: 240_000 }, () => {
  it('tests two kinds of one run trial by trial', async () => {
    const { scores, a, b, incomparable } = await compare({ against: runs.mindeye, againstKind: 'high' })
    expect([a.kind, b.kind, incomparable]).toEqual(['combined', 'high', []])
    expect(scores.map(({ score }) => score)).toEqual(['retrieval.image', 'retrieval.brain', 'pixcorr', 'ssim', 'pixel'])
    const [image, , pixcorr] = scores
    expect(image).toMatchObject({ difference: 0, p: 1, images: 12, trials: 12 })
    const [good, poor] = [await evaluate({}), await evaluate({ kind: 'high' })]
    expect(pixcorr.a).toBeCloseTo(good.pixcorr!.mean, 10)
    expect(pixcorr.b).toBeCloseTo(poor.pixcorr!.mean, 10)
    expect(pixcorr.difference).toBeCloseTo(pixcorr.a - pixcorr.b, 10)
    expect(pixcorr.ci95[0]).toBeGreaterThan(0)
    expect(pixcorr.p).toBeLessThan(0.01)
  })

  it('takes only the trials that both have, and says what cannot be compared', async () => {
    const result = await compare({ kind: 'low' })
    const pixcorr = result.scores.find(({ score }) => score === 'pixcorr')!
    expect(pixcorr).toMatchObject({ images: 6, trials: 6 })
    expect(result.incomparable).toEqual([{ score: 'pixel', reason: 'they are told apart among different images' }])
    expect(compareAction.format!(result)).toContain('Two-way pixels: they are told apart among different images')
    const retrieval = await compare({})
    expect(retrieval.scores.map(({ score }) => score)).toEqual(['retrieval.image', 'retrieval.brain'])
    expect(retrieval.b.note).toContain('mindeye reconstruct')
    const [mindeye, ridge] = await Promise.all(
      [runs.mindeye, runs.ridge].map((run) => evaluate({ run, kind: 'none', top: '1' })),
    )
    expect(retrieval.scores[0].a).toBeCloseTo(mindeye.retrieval.image.top1.mean, 10)
    expect(retrieval.scores[0].b).toBeCloseTo(ridge.retrieval.image.top1.mean, 10)
  })
})

describe('the routes of the Evaluate place', { timeout: 240_000 }, () => {
  it('list sets, give the kept values of one kind, and nothing of what is not there', async () => {
    const app = await createApp({ workspacePath: workspace, allow: [], native: false, log() {} })
    const get = (path: string) => app.fetch(new Request(`http://app/api/evaluation/${path}`))
    const json = async <T>(path: string) => (await (await get(path)).json()) as T
    try {
      const catalogue = await json<EvaluationCatalogue>('catalogue')
      expect(catalogue.metrics.map(({ id }) => id)).toEqual(metricIds)
      expect(catalogue.published.rows).toHaveLength(8)
      const sets = await json<ListedSet[]>('sets')
      const { set, trials } = sets.find(({ run }) => run === runs.mindeye)!
      expect(trials).toBe(12)

      const values = await json<KindValues>(`${runs.mindeye}/${set}/combined`)
      const { pixcorr } = await evaluate({})
      expect(values.scored).toBe(true)
      expect(mean(values.values.pixcorr!)).toBeCloseTo(pixcorr!.mean, 12)
      expect(values.stimulus).toEqual(values.trial.map((trial) => subject.trials.stimulus[trial]))
      expect(values.missing).toHaveLength(5)
      expect(await json<KindValues>(`${runs.mindeye}/${set}/low?seed=5`)).toMatchObject({ scored: false, values: {} })

      for (const wrong of [
        `${runs.mindeye}/nowhere/low`,
        `nobody/${set}/low`,
        `${runs.mindeye}/${set}/other`,
        `${runs.mindeye}/${set}/low/99999.png`,
      ])
        expect((await get(wrong)).status).toBeGreaterThanOrEqual(400)
    } finally {
      await app.close()
    }
  })
})
