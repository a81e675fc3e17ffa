import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { galleryAction } from '../../src-main/actions/gallery.ts'
import { importDataset } from '../../src-main/actions/import.ts'
import type { OfferedProposal, SubjectDetail, TrialColumns } from '../../src-main/api/routes/subjects.ts'
import type { Upload } from '../../src-main/workspace/uploads.ts'
import { decodeImage, encodePng } from '../../src-main/formats/images.ts'
import { encodeNpy } from '../../src-main/formats/npy.ts'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { simulate } from '../../src-main/subjects/simulator/simulate.ts'
import { openSubject, readManifest, readSubjectArray } from '../../src-main/subjects/subject.ts'
import { array, figures, put, quietly, temporaryFolder, writeSmallStudy } from '../subjects/support.ts'
import { startRoutes } from './data.ts'

const folder = mkdtempSync(join(tmpdir(), 'mindeye-subjects-api-'))
const source = join(folder, 'sim', 'subj01')

beforeAll(async () => {
  await simulate(
    { out: join(folder, 'sim'), subjects: 1, images: 12, layout: 'nsd', seed: 5, imageSize: 48 },
    quietly(),
  )
  await importPaths([source], { id: 'subj01', map: {} }, join(folder, 'imported'), quietly())
  return () => rmSync(folder, { recursive: true, force: true })
})

/** Routes on a workspace with the simulated subject. */
async function withSubject() {
  const routes = await startRoutes()
  const staging = routes.workspace.subjects.stage('subj01')
  cpSync(join(folder, 'imported'), staging.folder, { recursive: true })
  staging.commit()
  return { ...routes, dir: routes.workspace.subjects.get('subj01').folder }
}

describe('/:id', () => {
  it('tells the manifest, and counts that agree with the tables', async () => {
    const { json, dir } = await withSubject()
    const { body } = await json<SubjectDetail>('GET', 'subjects/subj01')
    const manifest = readManifest(dir)
    expect(body.manifest).toEqual(JSON.parse(JSON.stringify(manifest)))
    const { trials } = await openSubject(dir)
    expect(body.sessions.map(({ session }) => session)).toEqual([...new Set(trials.session)].sort((a, b) => a - b))
    expect(body.sessions.reduce((n, { trials }) => n + trials, 0)).toBe(manifest.trialCount)
    expect(body.sessions.reduce((n, { test }) => n + test, 0)).toBe(manifest.testTrials)
    expect(body.sessions.reduce((n, { runs }) => n + runs, 0)).toBe(manifest.runCount)
    expect(body.repeats.reduce((n, { times, images }) => n + times * images, 0)).toBe(manifest.trialCount)
    expect(body.repeats.reduce((n, { images }) => n + images, 0)).toBe(manifest.stimulusCount)

    const ceiling = readSubjectArray(dir, 'noiseCeiling.npy')!.data as Float32Array
    expect(body.ceilingHistogram!.reduce((a, b) => a + b, 0)).toBe(manifest.voxelCount)
    expect(body.ceilingHistogram![10]).toBe(ceiling.filter((x) => Math.floor(x * 50) === 10).length)
    expect(body.rois.map(({ name, voxels }) => ({ name, voxels }))).toEqual(manifest.rois)
    const masks = readSubjectArray(dir, 'rois.npy')!.data as Uint8Array
    const first = [...ceiling].filter((_, v) => masks[v] === 1)
    expect(body.rois[0].noiseCeiling).toBeCloseTo(first.reduce((a, b) => a + b, 0) / first.length, 6)

    const shipped = body.splits.find(({ split }) => split === 'shipped')!
    expect([shipped.train, shipped.test]).toEqual([
      [manifest.trainTrials, manifest.trainTrials],
      [manifest.testTrials, manifest.testTrials],
    ])
    expect(body.bytes).toBeGreaterThan(manifest.trialCount * manifest.voxelCount * 4)
    expect(body).toMatchObject({ id: 'subj01', runs: 0, uploadedBytes: 0 })
  })

  it.each(['nobody', '..', '..%2f..', '.tmp'])('the id %s is refused', async (id) => {
    const { json } = await withSubject()
    for (const path of ['', '/trials', '/stimuli/0.png', '/atlas'])
      expect((await json('GET', `subjects/${id}${path}`)).status).toBeGreaterThanOrEqual(400)
    expect((await json('DELETE', `subjects/${id}`)).status).toBeGreaterThanOrEqual(400)
  })
})

describe('trials and pictures', () => {
  it('trials come by columns, and not again while they are the same', async () => {
    const { json, ask, dir } = await withSubject()
    const { body, headers } = await json<TrialColumns>('GET', 'subjects/subj01/trials')
    const { trials, stimuli } = await openSubject(dir)
    expect(body).toEqual({
      count: trials.count,
      stimulus: [...trials.stimulus],
      part: [...trials.part],
      session: [...trials.session],
      run: [...trials.run],
      ids: stimuli.ids,
    })
    const again = await ask('GET', 'subjects/subj01/trials', undefined, { 'If-None-Match': headers.get('ETag')! })
    expect(again.status).toBe(304)
  })

  it('a picture shrinks to its size, and is cached for good where its version is asked for', async () => {
    const { ask, dir } = await withSubject()
    const answer = await ask('GET', 'subjects/subj01/stimuli/3.png?size=24&v=1')
    expect(answer.headers.get('Cache-Control')).toMatch(/immutable/)
    const picture = await decodeImage(new Uint8Array(await answer.arrayBuffer()), 'picture')
    expect([picture.width, picture.height]).toEqual([24, 24])
    const subject = await openSubject(dir)
    const whole = await decodeImage(
      new Uint8Array(await (await ask('GET', 'subjects/subj01/stimuli/3.png?size=48')).arrayBuffer()),
      'p',
    )
    expect([...whole.data]).toEqual([...subject.readImages([3]).data])
    for (const bad of ['9999.png', '0.png?size=4', '0.png?size=100000', 'x.png', '0.jpg'])
      expect((await ask('GET', `subjects/subj01/stimuli/${bad}`)).status).toBeGreaterThanOrEqual(400)
  })

  it('tiny pictures are enlarged without smoothing', async () => {
    const routes = await startRoutes()
    const study = { train: [0, 1, 2, 0], test: [3, 1], V: 5, side: 8, figures: figures(4, 8), bytes: true }
    const { path } = writeSmallStudy(temporaryFolder(), study)
    await importDataset(routes.ctx, routes.workspace, { paths: [path], as: 'tiny' }, quietly())
    const answer = await routes.ask('GET', 'subjects/tiny/stimuli/0.png?size=96')
    const { data, width, channels } = await decodeImage(new Uint8Array(await answer.arrayBuffer()), 'picture')
    expect(width).toBe(96)
    const own = (await openSubject(routes.workspace.subjects.get('tiny').folder)).readImages([0]).data
    for (let y = 0; y < 96; y++)
      for (let x = 0; x < 96; x++)
        expect(data[(y * 96 + x) * channels]).toBe(own[Math.floor(y / 12) * 8 + Math.floor(x / 12)])
  })

  it('an atlas holds each picture in its cell', async () => {
    const { ask, dir } = await withSubject()
    const answer = await ask('GET', 'subjects/subj01/atlas?start=2&count=5&columns=3&size=48')
    expect(answer.headers.get('Content-Type')).toBe('image/webp')
    const { data, info } = await sharp(new Uint8Array(await answer.arrayBuffer()))
      .raw()
      .toBuffer({ resolveWithObject: true })
    expect([info.width, info.height]).toEqual([3 * 48, 2 * 48])
    const subject = await openSubject(dir)
    const { data: pixels } = subject.readImages([6])
    // The fifth, number 6, lies in the second row and column.
    let difference = 0
    for (let y = 0; y < 48; y++)
      for (let x = 0; x < 48; x++)
        difference += Math.abs(data[((48 + y) * info.width + 48 + x) * info.channels] - pixels[(y * 48 + x) * 3])
    expect(difference / (48 * 48)).toBeLessThan(6)
    expect((await ask('GET', 'subjects/subj01/atlas?start=-1')).status).toBe(400)
  })

  it('a deleted cache is made again by the reader process', async () => {
    const { ask, dir } = await withSubject()
    rmSync(join(dir, 'cache'), { recursive: true })
    expect((await ask('GET', 'subjects/subj01/stimuli/0.png')).status).toBe(200)
    expect(existsSync(join(dir, 'cache', 'voxels.npy'))).toBe(true)
  })
})

describe('what was dropped', () => {
  it('comes back as proposals whose files are handles', async () => {
    const { json, picked } = await startRoutes()
    const odd = put(join(temporaryFolder(), 'odd.npy'), encodeNpy(array('float32', [2, 3], [1, 2, 3, 4, 5, 6])))
    const handles = [source, odd].map((path) => picked.add(path))
    const { body } = await json<{ proposals: OfferedProposal[] }>('POST', 'subjects/proposals', { paths: handles })
    expect(body.proposals).toHaveLength(1)
    const [proposal] = body.proposals
    expect(proposal.recognised).toMatchObject({ layout: 'nsd', name: 'subj01' })
    expect(proposal.picked.map(({ handle }) => basename(picked.resolve(handle)))).toEqual(['subj01', 'odd.npy'])
    expect(JSON.stringify(proposal)).not.toContain(folder)
    expect((await json('POST', 'subjects/proposals', { paths: [source] })).status).toBe(400)
  })
})

describe('removal', () => {
  it('takes the subject and what was uploaded for it alone; sources elsewhere stay', async () => {
    const { json, workspace, ctx, services } = await withSubject()
    await json('GET', 'subjects/subj01')
    const { path } = writeSmallStudy(temporaryFolder(), {
      train: [0, 1, 2, 0],
      test: [3, 1],
      V: 5,
      side: 8,
      figures: figures(4, 8),
    })
    const bytes = readFileSync(path)
    const begun = await json<{ uploads: Upload[] }>('POST', 'uploads', {
      group: 'drop-0001',
      files: [{ path: 'study.mat', size: bytes.length }],
    })
    await json('PUT', `uploads/${begun.body.uploads[0].id}?offset=0`, Uint8Array.from(bytes))
    const [uploaded] = workspace.uploads.contents('drop-0001')
    for (const as of ['one', 'two']) await importDataset(ctx, workspace, { paths: [uploaded], as }, quietly())
    expect((await json<SubjectDetail>('GET', 'subjects/one')).body.uploadedBytes).toBe(0)

    expect((await json('DELETE', 'subjects/one')).status).toBe(200)
    expect(existsSync(uploaded)).toBe(true)
    expect((await json<SubjectDetail>('GET', 'subjects/two')).body.uploadedBytes).toBe(bytes.length)
    expect((await json('DELETE', 'subjects/two')).status).toBe(200)
    expect(existsSync(uploaded)).toBe(false)

    const run = services.workspace.runs.create({ subject: 'subj01', preset: 'demo', config: {} })
    expect(await json('DELETE', 'subjects/subj01')).toMatchObject({
      status: 400,
      body: { error: { found: `the run ${run.id}, which is queued` } },
    })
    workspace.runs.finish(run.id, 'cancelled')
    expect((await json('DELETE', 'subjects/subj01')).status).toBe(200)
    expect(existsSync(source)).toBe(true)
    expect((await json('GET', 'subjects/subj01')).status).toBe(400)
  })

  it('leaves dropped files that something else is made of: a gallery, a subject of the same drop, a job at work', async () => {
    const { json, workspace, ctx } = await startRoutes()
    const group = 'drop-0002'
    const study = { train: [0, 1, 2, 0], test: [3, 1], V: 5, side: 8, figures: figures(4, 8) }
    const { path } = writeSmallStudy(temporaryFolder(), study)
    const files = [
      { path: 'mine/study.mat', bytes: readFileSync(path) },
      {
        path: 'mine/a.png',
        bytes: await encodePng({ height: 8, width: 8, channels: 1, data: Uint8Array.from(figures(1, 8)[0]) }),
      },
    ]
    const begun = await json<{ uploads: Upload[] }>('POST', 'uploads', {
      group,
      files: files.map(({ path, bytes }) => ({ path, size: bytes.length })),
    })
    for (const [i, { bytes }] of files.entries())
      await json('PUT', `uploads/${begun.body.uploads[i].id}?offset=0`, Uint8Array.from(bytes))
    const [folder] = workspace.uploads.contents(group)
    const discard = async () => (await json<{ discarded: boolean }>('DELETE', `uploads/groups/${group}`)).body.discarded
    await importDataset(ctx, workspace, { paths: [join(folder, 'study.mat')], as: 'one' }, quietly())
    const gallery = { workspace: workspace.path, target: folder, as: 'mine' }
    await galleryAction.run(ctx, { do: 'add', ...gallery }, quietly())

    // The same files dropped again are the same group; the second drop goes, the files stay.
    expect(await discard()).toBe(false)
    expect((await json<SubjectDetail>('GET', 'subjects/one')).body.uploadedBytes).toBe(0)
    expect((await json('DELETE', 'subjects/one')).status).toBe(200)
    expect(existsSync(join(folder, 'a.png'))).toBe(true)
    await importDataset(ctx, workspace, { paths: [join(folder, 'study.mat')], as: 'two' }, quietly())
    await galleryAction.run(ctx, { ...gallery, do: 'remove', target: 'mine' }, quietly())
    expect(existsSync(join(folder, 'study.mat'))).toBe(true)
    const job = workspace.jobs.add({ action: 'import', input: { paths: [join(folder, 'study.mat')] } })
    workspace.jobs.start(job.id)
    expect((await json('DELETE', 'subjects/two')).status).toBe(200)
    expect(await discard()).toBe(false)
    workspace.jobs.finish(job.id, 'cancelled')
    expect(await discard()).toBe(true)
    expect(existsSync(folder)).toBe(false)
  })
})
