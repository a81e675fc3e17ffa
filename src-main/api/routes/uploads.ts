import { Hono } from 'hono'
import { basename } from 'node:path'
import { statSync } from 'node:fs'
import * as v from 'valibot'
import { discardUnused } from '../../actions/uploads.ts'
import { bodyOf } from '../body.ts'
import type { Services } from '../services.ts'

const MOST_FILES = 50_000

const beginning = v.object({
  group: v.string(),
  files: v.pipe(v.array(v.object({ path: v.string(), size: v.number() })), v.minLength(1), v.maxLength(MOST_FILES)),
})

/** A file or folder that actions can be given, as a page sees it. */
export interface PickedItem {
  handle: string
  name: string
  folder: boolean
  /** Bytes; 0 for a folder. */
  size: number
}

/** A handle for a path that its user showed us. */
export function pick({ picked }: Services, path: string): PickedItem {
  const stat = statSync(path)
  const folder = stat.isDirectory()
  return { handle: picked.add(path), name: basename(path), folder, size: folder ? 0 : stat.size }
}

/**
 * Files that were dropped in a browser stream into the workspace: `POST /` begins those of a drop, `PUT /ID?offset=N` sends bytes from
 * where a file ends so far (`GET /ID`, `HEAD /ID` tell), `POST /groups/GROUP/pick` gives handles once all are there;
 * `DELETE /groups/GROUP` removes them unless something of the workspace is made of them.
 */
export const uploadRoutes = (services: Services) => {
  const { uploads } = services.workspace
  return new Hono()
    .post('/', async (c) => {
      const { group, files } = await bodyOf(c, beginning)
      return c.json({ uploads: uploads.begin(group, files) }, 201)
    })
    .get('/:id', (c) => {
      const upload = uploads.get(c.req.param('id'))
      c.header('Upload-Offset', String(upload.received))
      c.header('Upload-Length', String(upload.size))
      c.header('Cache-Control', 'no-store')
      return c.json(upload)
    })
    .put('/:id', async (c) => {
      const offset = Number(c.req.query('offset') ?? NaN)
      const { body } = c.req.raw
      return c.json(await uploads.append(c.req.param('id'), offset, body ?? nothing()))
    })
    .post('/groups/:group/pick', (c) =>
      c.json({ picked: uploads.contents(c.req.param('group')).map((path) => pick(services, path)) }),
    )
    .delete('/groups/:group', (c) => c.json({ discarded: discardUnused(services.workspace, c.req.param('group')) }))
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
