import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp, type App } from '../../src-main/app.ts'
import { evaluateAction } from '../../src-main/actions/evaluate.ts'
import { createContext, type OwnedContext } from '../../src-main/actions/context.ts'
import { galleryAction } from '../../src-main/actions/gallery.ts'
import type { GalleryResult } from '../../src-main/actions/gallery.ts'
import { retrieveAction } from '../../src-main/actions/retrieve.ts'
import type { Retrieved } from '../../src-main/actions/retrieve.ts'
import type { GalleryDetail } from '../../src-main/api/routes/galleries.ts'
import type { GalleryFacts, MapFacts, RetrievalFacts } from '../../src-main/api/routes/retrieval.ts'
import { decodeImage, encodePng } from '../../src-main/formats/images.ts'
import { openSubject, type Subject } from '../../src-main/subjects/subject.ts'
import { trainTwo } from '../support/twoRuns.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'retrieval-api-'))
const workspace = join(base, 'workspace')
const quiet = { signal: new AbortController().signal, progress: () => {} }
const pictures = join(base, 'pictures')

let app: App
let ctx: OwnedContext
let run: string
let ridge: string
let subject: Subject

beforeAll(async () => {
  ctx = createContext(() => {})
  const demo = await trainTwo(ctx, workspace, 24)
  ;[run, ridge] = [demo.mindeye, demo.ridge]
  app = await createApp({ workspacePath: workspace, allow: [], native: false, log() {} })
  subject = await openSubject(join(workspace, 'subjects', demo.subject))
  // The first ten stimuli and five pictures of one colour, and one that is broken.
  fs.mkdirSync(join(pictures, 'more'), { recursive: true })
  for (const [index, id] of subject.stimuli.ids.slice(0, 10).entries())
    fs.writeFileSync(join(pictures, `${id}.png`), await encodePng(subject.readImages([index])))
  for (let i = 0; i < 5; i++)
    fs.writeFileSync(
      join(pictures, 'more', `plain-${i}.png`),
      await encodePng({ width: 30, height: 20, channels: 3, data: new Uint8Array(1800).fill(40 * i) }),
    )
  fs.writeFileSync(join(pictures, 'broken.png'), Buffer.from('\x89PNG\r\n\x1a\nnothing', 'latin1'))
}, 90_000)

afterAll(async () => {
  subject?.close()
  await app?.close()
  await ctx?.close()
  fs.rmSync(base, { recursive: true, force: true })
})

const get = (path: string, headers: Record<string, string> = {}) =>
  app.fetch(new Request(`http://app/api/retrieval/${path}`, { headers }))
const json = async <T>(path: string) => {
  const response = await get(path)
  return { status: response.status, body: (await response.json()) as T & { error?: { found: string; fix: string } } }
}
const buffer = async (path: string) => (await get(path)).arrayBuffer()
const retrieve = (input: Partial<Parameters<typeof retrieveAction.run>[1]>) =>
  retrieveAction.run(ctx, { workspace, run, top: 5, direction: 'image', seed: 42, ...input }, quiet)

describe('a finished run', () => {
  test('says what it held out, and gives its similarities', async () => {
    const { body: facts } = await json<RetrievalFacts>(run)
    expect(facts).toMatchObject({ run, split: 'shipped', folds: 1, repeats: 'average', rows: 12, images: 12 })
    expect(facts.offered).toEqual(['average', 'single'])
    for (const [row, trial] of facts.trial.entries())
      expect(facts.stimulus[facts.own[row]]).toBe(subject.trials.stimulus[trial])
    expect(facts.ids).toEqual(facts.stimulus.map((stimulus) => subject.stimuli.ids[stimulus]))
    const values = new Float32Array(await buffer(`${run}/similarity`))
    expect(values).toHaveLength(144)
    const { trials } = await retrieve({ top: 12 })
    for (const [row, { found }] of trials.entries())
      for (const { stimulus, similarity } of found)
        expect(values[row * 12 + facts.ids.indexOf(stimulus)]).toBeCloseTo(similarity, 6)
  })

  test('arrays are not sent again to who has them', async () => {
    const first = await get(`${run}/similarity`)
    const tag = first.headers.get('ETag')!
    expect((await get(`${run}/similarity`, { 'If-None-Match': tag })).status).toBe(304)
    expect((await get(`${run}/similarity?repeats=single`, { 'If-None-Match': tag })).status).toBe(200)
  })

  test.each([
    ['image', undefined, 42, undefined],
    ['image', 5, 7, undefined],
    ['brain', 5, 7, undefined],
    ['image', undefined, 42, 'single'],
  ] as const)(
    'answers as `retrieve` does: %s, pool %s, seed %s, repeats %s',
    async (direction, pool, seed, repeats) => {
      const query = new URLSearchParams({ direction, seed: String(seed), top: '3' })
      if (pool) query.set('pool', String(pool))
      if (repeats) query.set('repeats', repeats)
      const path = `${run}/answers?${query.toString()}`
      const { body: facts } = await json<RetrievalFacts>(`${run}${repeats ? `?repeats=${repeats}` : ''}`)
      const { trials } = await retrieve({ direction, pool, seed, repeats, top: 3 })
      const queries = direction === 'image' ? facts.rows : facts.seen.length
      expect(trials).toHaveLength(queries)
      const bytes = await buffer(path)
      expect(bytes.byteLength).toBe(queries * (2 * 3 + 1) * 4)
      const index = new Int32Array(bytes, 0, queries * 3)
      const similarity = new Float32Array(bytes, queries * 12, queries * 3)
      const rank = new Float32Array(bytes, queries * 24)
      const idOf = (candidate: number) => facts.ids[direction === 'image' ? candidate : facts.seen[candidate]]
      for (const [query, one] of trials.entries()) {
        expect(rank[query]).toBe(one.rank)
        expect(one.found.map(({ stimulus }) => stimulus)).toEqual(
          [...index.subarray(query * 3, query * 3 + 3)].map(idOf),
        )
        one.found.forEach((found, i) => expect(similarity[query * 3 + i]).toBeCloseTo(found.similarity, 6))
      }
    },
  )

  test('single trials are embedded one by one; their mean is not the same as the average’s, the scores know', async () => {
    const { body: single } = await json<RetrievalFacts>(`${run}?repeats=single`)
    expect(single.rows).toBe([...subject.trials.part].filter((part) => part === 1).length)
    expect(single.rows).toBeGreaterThan(12)
    const score = (repeats?: 'single' | 'average') =>
      evaluateAction.run(ctx, { workspace, run, kind: 'none', top: '1', seed: 42, repeats }, quiet)
    const [own, average, alone] = [await score(), await score('average'), await score('single')]
    expect(average).toEqual(own)
    expect([alone.trials, alone.retrieval.image.top1.n, alone.pool]).toEqual([single.rows, single.rows, 12])
  })

  test('is laid out in the plane, the same every time and in any process', async () => {
    for (const method of ['pca', 'umap'] as const) {
      const { body: facts } = await json<MapFacts>(`${run}/map/facts?method=${method}`)
      expect([facts.patterns, facts.images]).toEqual([12, 12])
      const xy = new Float32Array(await buffer(`${run}/map?method=${method}`))
      expect(xy).toHaveLength(48)
      expect(xy.every(Number.isFinite)).toBe(true)
      if (method === 'pca') expect(facts.explained[0]).toBeGreaterThan(facts.explained[1])
      fs.rmSync(join(workspace, 'runs', run, 'retrieval'), { recursive: true })
      expect(new Float32Array(await buffer(`${run}/map?method=${method}`))).toEqual(xy)
    }
    const { status, body } = await json<object>(`${run}/map?fold=3`)
    expect([status, body.error?.found]).toEqual([400, '3'])
  })

  test('what cannot be asked is refused in words', async () => {
    expect((await json<object>('nobody')).status).toBe(400)
    expect((await json<object>(`${run}/answers?pool=1000`)).body.error?.found).toBe('1000')
    expect((await json<object>(`${run}/answers?pool=x`)).status).toBe(400)
    expect((await json<object>(`${run}/answers?direction=up`)).status).toBe(400)
    expect((await json<object>(`..%2f..%2fetc/similarity`)).status).toBe(400)
  })
})

describe('galleries', () => {
  const gallery = (input: Omit<Parameters<typeof galleryAction.run>[1], 'workspace'>) =>
    galleryAction.run(ctx, { workspace, ...input }, quiet)

  test('are added with their thumbnails, listed, shown, and retrieved from', async () => {
    const added = (await gallery({ do: 'add', target: pictures, as: 'mine' })) as GalleryResult & { damaged: string[] }
    expect(added).toMatchObject({ gallery: { id: 'mine', images: 16, folder: pictures }, damaged: ['broken.png'] })
    expect(galleryAction.format!(added)).toContain('1 are damaged')
    expect(await gallery({ do: 'show', target: 'mine' })).toMatchObject({ changed: false })
    const { body: detail } = await json<GalleryDetail>('galleries/mine')
    expect(detail).toMatchObject({ id: 'mine', images: 16, tile: 96, columns: 16, perSheet: 128 })
    const sheet = await decodeImage(new Uint8Array(await buffer('galleries/mine/sheets/0.jpg')), 'sheet')
    expect([sheet.width, sheet.height]).toEqual([16 * 96, 96])
    const { body: names } = await json<string[]>('galleries/mine/names?start=14&count=9')
    expect(names).toEqual(['more/plain-3.png', 'more/plain-4.png'])
    const picture = await decodeImage(new Uint8Array(await buffer('galleries/mine/images/15.jpg?size=24')), 'picture')
    expect([picture.width, picture.height]).toEqual([24, 16])
    expect((await get('galleries/mine/images/16.jpg')).status).toBe(400)
    expect((await get('galleries/mine/sheets/1.jpg')).status).toBe(400)

    expect((await json<GalleryFacts>(`${run}/galleries/mine`)).body).toMatchObject({ images: 16, ready: false })
    const before = await json<object>(`${run}/galleries/mine/answers`)
    expect([before.status, before.body.error?.found]).toEqual([409, 'that they are not embedded yet'])
    const found = await retrieve({ gallery: 'mine', top: 15 })
    expect(found).toMatchObject({ gallery: 'mine', pool: 16, direction: 'image' })
    const held = new Set(subject.stimuli.ids.slice(0, 10))
    for (const { stimulus, rank, found: images } of found.trials) {
      expect(images).toHaveLength(15) // all but the broken one
      expect(images.map(({ stimulus: name }) => name)).not.toContain('broken.png')
      const own = images.findIndex(({ correct }) => correct)
      expect(own >= 0).toBe(held.has(stimulus))
      expect(rank).toBe(held.has(stimulus) ? own + 1 : undefined)
      if (own >= 0) expect(images[own].stimulus).toBe(`${stimulus}.png`)
    }
    // Of the same picture the similarity is the same, however it came to the encoder.
    const inPool = await retrieve({ top: 12 })
    for (const [i, { found: images }] of found.trials.entries())
      for (const { stimulus, similarity } of images) {
        const same = inPool.trials[i].found.find((one) => `${one.stimulus}.png` === stimulus)
        if (same) expect(similarity).toBeCloseTo(same.similarity, 5)
      }
    expect(retrieveAction.format!(found)).toMatch(/gallery mine of 16 images[^]*the very image that was seen/)

    const { body: facts } = await json<GalleryFacts>(`${run}/galleries/mine`)
    expect(facts).toMatchObject({ gallery: 'mine', images: 16, ready: true, k: 15, rows: 12 })
    expect(facts.held).toBe(found.trials.filter(({ rank }) => rank !== undefined).length)
    const index = new Int32Array(await buffer(`${run}/galleries/mine/answers`), 0, 12 * 15)
    const { body: all } = await json<string[]>('galleries/mine/names')
    expect(all[index[0]]).toBe(found.trials[0].found[0].stimulus)
  }, 60_000)

  test('are embedded once for all runs with the same encoder, also after the cache was deleted', async () => {
    const cache = join(workspace, 'galleries', 'mine', 'cache')
    const files = () => fs.readdirSync(join(cache, 'embeddings')).filter((name) => name.startsWith('study'))
    const before = files()
    expect(before).toHaveLength(2) // .npy and .json
    await retrieve({ run: ridge, gallery: 'mine' })
    expect(files()).toEqual(before)
    const origin = JSON.parse(fs.readFileSync(join(cache, 'embeddings', before[0]), 'utf8')) as { gallery: string }
    expect(origin.gallery).toMatch(/^names-sha256:/)
    fs.rmSync(cache, { recursive: true })
    expect((await get('galleries/mine/sheets/0.jpg')).status).toBe(200)
    await retrieve({ gallery: 'mine' })
    expect(files()).toEqual(before)
  }, 60_000)

  test('that changed, are taken or unknown are refused; adding the same folder again goes on', async () => {
    await expect(gallery({ do: 'add', target: base, as: 'mine' })).rejects.toThrow(/not taken/)
    expect(await gallery({ do: 'add', target: pictures, as: 'mine' })).toMatchObject({ gallery: { id: 'mine' } })
    await expect(gallery({ do: 'show', target: 'theirs' })).rejects.toThrow(/expected one of mine, found 'theirs'/)
    await expect(retrieve({ gallery: 'theirs' })).rejects.toThrow(/--gallery/)
    await expect(gallery({ do: 'add', target: join(base, 'none') })).rejects.toThrow(/no folder at this path/)
    fs.writeFileSync(join(pictures, 'zzz.png'), await encodePng(subject.readImages([11])))
    expect(await gallery({ do: 'show', target: 'mine' })).toMatchObject({ changed: true })
    expect(await gallery({ do: 'remove', target: 'mine' })).toEqual({ removed: 'mine' })
    expect(await gallery({ do: 'list' })).toEqual({ galleries: [] })
    expect(fs.readdirSync(pictures)).toContain('broken.png')
    const again = await gallery({ do: 'add', target: pictures })
    expect(again).toMatchObject({ gallery: { id: 'pictures', images: 17 } })
  }, 60_000)
})

test('a page starts a retrieval from a gallery as a job', async () => {
  const call = async (path: string, body: object): Promise<unknown> => {
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
    const response = await app.fetch(new Request(`http://app/api/trpc/${path}`, init))
    return ((await response.json()) as { result: { data: unknown } }).result.data
  }
  const { job } = (await call('start.retrieve', { run, gallery: 'pictures' })) as { job: number }
  const record = () => ctx.workspace(workspace).then((open) => open.jobs.get(job))
  while (['queued', 'running'].includes((await record()).state)) await new Promise((resolve) => setTimeout(resolve, 50))
  const { state, result } = await record()
  expect(state).toBe('done')
  expect((result as unknown as Retrieved).trials).toHaveLength(12)
  expect((await json<GalleryFacts>(`${run}/galleries/pictures`)).body.k).toBe(16)
}, 60_000)
