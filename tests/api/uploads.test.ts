import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import { safeParts } from '../../src-main/workspace/uploadNames.ts'
import { Uploads, type Upload } from '../../src-main/workspace/uploads.ts'
import type { PickedItem } from '../../src-main/api/routes/uploads.ts'
import { temporaryFolder } from '../subjects/support.ts'
import { startRoutes } from './data.ts'

const GROUP = '20261124-drop-one'
const bytes = (n: number, seed = 1) => Uint8Array.from({ length: n }, (_, i) => (i * 31 + seed * 7) % 256)
type Begun = { uploads: Upload[] }

describe('uploads over the API', () => {
  it('a file in pieces becomes a handle for exactly its bytes', async () => {
    const { picked: handles, workspace, json, ask } = await startRoutes()
    const content = bytes(1000)
    const { status, body } = await json<Begun>('POST', 'uploads', {
      group: GROUP,
      files: [{ path: 'a.mat', size: 1000 }],
    })
    expect(status).toBe(201)
    const [{ id, received, done }] = body.uploads
    expect([received, done]).toEqual([0, false])
    expect((await json<Upload>('PUT', `uploads/${id}?offset=0`, content.subarray(0, 600))).body).toMatchObject({
      received: 600,
      done: false,
    })
    // Under its temporary name only: nothing that is not whole can be picked.
    expect(existsSync(join(workspace.path, 'uploads', GROUP))).toBe(false)
    expect((await json('POST', `uploads/groups/${GROUP}/pick`)).status).toBe(400)

    const head = await ask('HEAD', `uploads/${id}`)
    expect(head.headers.get('Upload-Offset')).toBe('600')
    expect((await json<Upload>('PUT', `uploads/${id}?offset=600`, content.subarray(600))).body).toMatchObject({
      received: 1000,
      done: true,
    })
    const { body: picked } = await json<{ picked: PickedItem[] }>('POST', `uploads/groups/${GROUP}/pick`)
    expect(picked.picked).toMatchObject([{ name: 'a.mat', folder: false, size: 1000 }])
    expect(JSON.stringify(picked)).not.toContain(workspace.path)
    const path = handles.resolve(picked.picked[0].handle)
    expect(readFileSync(path).equals(content)).toBe(true)
    expect(readdirSync(join(workspace.path, 'uploads', '.partial'))).toEqual([])
  })

  it('pieces out of place, too many bytes and unknown ids are refused, and what is there stays', async () => {
    const { json } = await startRoutes()
    const { body } = await json<Begun>('POST', 'uploads', { group: GROUP, files: [{ path: 'a.mat', size: 10 }] })
    const [{ id }] = body.uploads
    await json('PUT', `uploads/${id}?offset=0`, bytes(4))
    expect(await json('PUT', `uploads/${id}?offset=0`, bytes(4))).toMatchObject({
      status: 400,
      body: { error: { expected: 'the bytes from 4 on', found: 'those from 0 on' } },
    })
    expect(await json('PUT', `uploads/${id}?offset=4`, bytes(7))).toMatchObject({
      status: 400,
      body: { error: { found: 'more' } },
    })
    expect((await json<Upload>('GET', `uploads/${id}`)).body.received).toBe(4)
    expect((await json('GET', `uploads/${'0'.repeat(32)}`)).status).toBe(400)
    expect((await json('GET', 'uploads/..%2f..%2fworkspace.json')).status).toBe(400)
  })

  it('goes on after a broken connection and after a restart, and dropping the file again finds what is there', async () => {
    const { workspace, json } = await startRoutes()
    const files = [{ path: 'big.h5', size: 1000 }]
    const { body } = await json<Begun>('POST', 'uploads', { group: GROUP, files })
    const [{ id }] = body.uploads
    const broken = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes(300))
        setTimeout(() => controller.error(new Error('the connection broke')), 20)
      },
    })
    expect((await json('PUT', `uploads/${id}?offset=0`, broken)).status).toBe(500)
    expect((await json<Upload>('GET', `uploads/${id}`)).body.received).toBe(300)
    const restarted = new Uploads(workspace.path)
    expect(restarted.begin(GROUP, files)).toMatchObject([{ id, received: 300, done: false }])
    const rest = (async function* () {
      yield bytes(1000).subarray(300)
    })()
    expect(await restarted.append(id, 300, rest)).toMatchObject({ done: true })
    expect(new Uploads(workspace.path).begin(GROUP, files)).toMatchObject([{ id, received: 1000, done: true }])
    expect(readFileSync(join(workspace.path, 'uploads', GROUP, 'big.h5')).equals(bytes(1000))).toBe(true)
  })

  it('one drop of several files and folders keeps its tree', async () => {
    const { picked: handles, json } = await startRoutes()
    const files = ['study/train/a.tar', 'study/test/b.tar', 'study/empty.txt', 'mask.nii'].map((path, i) => ({
      path,
      size: [5, 6, 0, 7][i],
    }))
    const { body } = await json<Begun>('POST', 'uploads', { group: GROUP, files })
    expect(body.uploads.map(({ done }) => done)).toEqual([false, false, true, false])
    for (const { id, size, done } of body.uploads)
      if (!done) await json('PUT', `uploads/${id}?offset=0`, bytes(size, size))
    const { picked } = (await json<{ picked: PickedItem[] }>('POST', `uploads/groups/${GROUP}/pick`)).body
    expect(picked).toMatchObject([
      { name: 'mask.nii', folder: false, size: 7 },
      { name: 'study', folder: true },
    ])
    const study = handles.resolve(picked[1].handle)
    expect(readdirSync(study, { recursive: true }).sort()).toEqual([
      'empty.txt',
      'test',
      'test/b.tar',
      'train',
      'train/a.tar',
    ])
    expect(readFileSync(join(study, 'train', 'a.tar')).equals(bytes(5, 5))).toBe(true)
  })

  it('a drop is discarded whole, finished or not', async () => {
    const { workspace, json } = await startRoutes()
    const { body } = await json<Begun>('POST', 'uploads', {
      group: GROUP,
      files: [
        { path: 'a', size: 2 },
        { path: 'b', size: 2 },
      ],
    })
    await json('PUT', `uploads/${body.uploads[0].id}?offset=0`, bytes(2))
    await json('PUT', `uploads/${body.uploads[1].id}?offset=0`, bytes(1))
    expect((await json('DELETE', `uploads/groups/${GROUP}`)).status).toBe(200)
    expect(readdirSync(join(workspace.path, 'uploads'))).toEqual(['.partial'])
    expect(readdirSync(join(workspace.path, 'uploads', '.partial'))).toEqual([])
  })

  it.each(['..', '../x', 'short', 'a/../../b-long-enough', 'with space in it', ''])(
    'the group %j is refused',
    async (group) => {
      const { json } = await startRoutes()
      expect((await json('POST', 'uploads', { group, files: [{ path: 'a', size: 1 }] })).status).toBe(400)
      expect((await json('DELETE', `uploads/groups/${encodeURIComponent(group)}`)).status).toBeGreaterThanOrEqual(400)
    },
  )
})

describe('names', () => {
  it.each([
    '../a',
    'a/../../b',
    '/etc/passwd',
    'a//b',
    'a/./b',
    '..',
    '.',
    '',
    'a\\..\\b',
    'C:/x',
    'a\0b',
    'a/'.repeat(13) + 'b',
  ])('%j is refused', (path) => expect(() => safeParts(path)).toThrow(MindEyeError))

  it.each([
    ['subj01/train/a.tar', ['subj01', 'train', 'a.tar']],
    ['what? "this".mat', ['what_ _this_.mat']],
    ['con.nii', ['_con.nii']],
    ['.hidden', ['_hidden']],
    ['trailing. ', ['trailing_']],
    ['a\nb', ['a_b']],
  ])('%j becomes %j', (path, parts) => expect(safeParts(path)).toEqual(parts))

  it('a long name is cut but keeps its ending', () => {
    const [name] = safeParts('ä'.repeat(300) + '.nii.gz')
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200)
    expect(name).toMatch(/^ä+\.nii\.gz$/)
  })
})

describe('the disk', () => {
  it('is looked at before the first byte, less what other drops still need', () => {
    const root = temporaryFolder()
    const free = 256 * 2 ** 20 + 1000
    const uploads = new Uploads(root, () => free)
    expect(() => uploads.begin(GROUP, [{ path: 'a', size: 1001 }])).toThrow(
      /expected room for 1 MB .* found 269 MB free/,
    )
    expect(uploads.begin(GROUP, [{ path: 'a', size: 600 }])).toHaveLength(1)
    expect(() => uploads.begin('20261124-another', [{ path: 'b', size: 600 }])).toThrow(MindEyeError)
    // Going on with what has begun needs no room twice.
    expect(uploads.begin(GROUP, [{ path: 'a', size: 600 }])).toHaveLength(1)
  })

  it('what waited for a day is swept away; what is whole stays', async () => {
    const root = temporaryFolder()
    const uploads = new Uploads(root)
    const [old, young, whole] = uploads.begin(
      GROUP,
      ['old', 'young', 'whole'].map((path) => ({ path, size: 3 })),
    )
    const all = async function* () {
      yield bytes(3)
    }
    await uploads.append(whole.id, 0, all())
    const partial = join(root, 'uploads', '.partial')
    const before = new Date(Date.now() - 25 * 3_600_000)
    for (const ending of ['json', 'part']) utimesSync(join(partial, `${old.id}.${ending}`), before, before)
    const again = new Uploads(root)
    expect(() => again.get(old.id)).toThrow(/expected one that has begun/)
    expect(again.get(young.id).received).toBe(0)
    expect(existsSync(join(root, 'uploads', GROUP, 'whole'))).toBe(true)
    expect(again.begin(GROUP, [{ path: 'whole', size: 3 }])[0].done).toBe(true)
    expect(() => again.begin(GROUP, [{ path: 'whole', size: 4 }])).toThrow(/another file of this name/)
  })

  it('a torn note of a file makes it begin anew', () => {
    const root = temporaryFolder()
    const uploads = new Uploads(root)
    const [{ id }] = uploads.begin(GROUP, [{ path: 'a', size: 3 }])
    mkdirSync(join(root, 'uploads', '.partial'), { recursive: true })
    writeFileSync(join(root, 'uploads', '.partial', `${id}.json`), '{"gro')
    expect(new Uploads(root).begin(GROUP, [{ path: 'a', size: 3 }])).toMatchObject([{ id, received: 0, done: false }])
  })
})
