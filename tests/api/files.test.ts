import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { FolderListing } from '../../src-main/api/routes/files.ts'
import type { PickedItem } from '../../src-main/api/routes/uploads.ts'
import { temporaryFolder } from '../subjects/support.ts'
import { startRoutes } from './data.ts'

/** ROOT/data (allowed): a.mat, sub/b.mat, and links in and out; ROOT/secret, ROOT/data-other beside it. */
function tree() {
  const root = temporaryFolder()
  const data = join(root, 'data')
  for (const folder of ['data/sub', 'secret', 'data-other']) mkdirSync(join(root, folder), { recursive: true })
  for (const file of ['data/a.mat', 'data/sub/b.mat', 'data/.hidden', 'secret/key', 'data-other/x'])
    writeFileSync(join(root, file), file)
  symlinkSync(join(data, 'sub'), join(data, 'inside'))
  symlinkSync(join(root, 'secret'), join(data, 'outside'))
  symlinkSync(join(root, 'nowhere'), join(data, 'broken'))
  return { root, data }
}

const list = (path: string) => `files/list?path=${encodeURIComponent(path)}`

describe('the browser of the machine’s files', () => {
  it('lists allowed folders and gives handles', async () => {
    const { data } = tree()
    const { picked: handles, json } = await startRoutes({ allow: [data] })
    expect((await json('GET', 'files')).body).toEqual({ roots: [{ path: data, name: 'data' }] })
    const { body } = await json<FolderListing>('GET', list(data))
    expect(body).toMatchObject({ path: data, parent: null, isCut: false })
    expect(body.entries).toMatchObject([
      { name: 'a.mat', folder: false, size: 10 },
      { name: 'broken', refused: 'a link to nothing' },
      { name: 'inside', folder: true },
      { name: 'outside', refused: 'a link that leads out of the allowed folders' },
      { name: 'sub', folder: true, size: 0 },
    ])
    expect((await json<FolderListing>('GET', list(join(data, 'sub')))).body).toMatchObject({
      parent: data,
      entries: [{ name: 'b.mat' }],
    })
    const { picked } = (
      await json<{ picked: PickedItem[] }>('POST', 'files/pick', { paths: [join(data, 'a.mat'), join(data, 'sub')] })
    ).body
    expect(picked).toMatchObject([
      { name: 'a.mat', folder: false },
      { name: 'sub', folder: true },
    ])
    expect(handles.resolve(picked[0].handle)).toBe(join(data, 'a.mat'))
  })

  it.each([
    ['the folder above', (data: string) => join(data, '..')],
    ['a sibling with the same beginning', (data: string) => `${data}-other`],
    ['dots', (data: string) => `${data}/../secret`],
    ['a link out', (data: string) => join(data, 'outside')],
    ['behind a link out', (data: string) => join(data, 'outside', 'key')],
    ['a link to nothing', (data: string) => join(data, 'broken')],
    ['a relative path', () => 'sub'],
    ['the root', () => '/'],
    ['a NUL', (data: string) => `${data}\0/../secret`],
  ])('refuses %s', async (_, pathOf) => {
    const { data } = tree()
    const { json } = await startRoutes({ allow: [data] })
    const path = pathOf(data)
    expect((await json('GET', list(path))).status).toBe(400)
    expect(await json('POST', 'files/pick', { paths: [path] })).toMatchObject({
      status: 400,
      body: { error: { found: 'something else, or a link that leads elsewhere' } },
    })
  })

  it('refuses a folder that holds a link out, however deep', async () => {
    const { root, data } = tree()
    const { json } = await startRoutes({ allow: [data] })
    expect((await json('POST', 'files/pick', { paths: [data] })).status).toBe(400)
    symlinkSync(join(root, 'secret', 'key'), join(data, 'sub', 'betas.mat'))
    expect((await json('POST', 'files/pick', { paths: [join(data, 'sub')] })).status).toBe(400)
  })

  it('lists nothing where no folder is allowed', async () => {
    const { data } = tree()
    const { json } = await startRoutes()
    expect((await json('GET', 'files')).body).toEqual({ roots: [] })
    expect((await json('GET', 'files/list')).status).toBe(400)
    expect((await json('GET', list(data))).status).toBe(400)
  })
})
