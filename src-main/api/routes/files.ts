import { Hono } from 'hono'
import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, sep } from 'node:path'
import * as v from 'valibot'
import { MindEyeError } from '../../base/errors.ts'
import { bodyOf } from '../body.ts'
import type { Services } from '../services.ts'
import { pick } from './uploads.ts'

/** What is in a folder of the machine that the app runs on. */
export interface FolderListing {
  /** Absolute. */
  path: string
  /** The folder above, where it may be listed too. */
  parent: string | null
  entries: {
    name: string
    path: string
    folder: boolean
    /** Bytes; 0 for a folder. */
    size: number
    /** ms since 1970 */
    modified: number
    /** Why it cannot be chosen. */
    refused?: string
  }[]
  /** There is more than is listed. */
  isCut: boolean
}

const MOST_ENTRIES = 5000
/** As deep and as many as datasets are read. */
const MOST_DEPTH = 8
const MOST_WALKED = 200_000

const choice = v.object({ paths: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(200)) })

/**
 * A browser of the machine's files for a page that has no dialog of its own, limited to the folders that the host allows: `GET /` lists
 * those, `GET /list?path=` what is in one, `POST /pick` turns paths into handles. A link that leads out of them is as good as outside.
 */
export const fileRoutes = (services: Services) => {
  const roots = services.host.allow.flatMap((path) => {
    const real = realOf(path)
    return real ? [real] : []
  })
  const isAllowed = (real: string) =>
    roots.some((root) => real === root || real.startsWith(root.endsWith(sep) ? root : root + sep))

  /** The path with its links followed; throws an input error for one outside. What does not exist is told no differently. */
  function allowed(path: string): string {
    const real = isAbsolute(path) ? realOf(path) : undefined
    if (real && isAllowed(real)) return real
    throw new MindEyeError({
      kind: 'input',
      where: path.slice(0, 300),
      expected: roots.length ? `something inside ${roots.join(' or ')}` : 'a folder that may be listed',
      found: 'something else, or a link that leads elsewhere',
      fix: 'Start the app with --allow DIR to open another folder of this machine.',
    })
  }

  function refuseLinksOut(folder: string): void {
    let left = MOST_WALKED
    const walk = (path: string, depth: number): void => {
      for (const entry of readdirSync(path, { withFileTypes: true })) {
        if (left-- <= 0) return
        const inner = join(path, entry.name)
        if (entry.isSymbolicLink()) allowed(inner)
        else if (entry.isDirectory() && depth < MOST_DEPTH) walk(inner, depth + 1)
      }
    }
    walk(folder, 0)
  }

  return new Hono()
    .get('/', (c) => c.json({ roots: roots.map((path) => ({ path, name: basename(path) || path })) }))
    .get('/list', (c) => {
      const path = allowed(c.req.query('path') ?? roots[0] ?? '')
      if (!statSync(path).isDirectory())
        throw new MindEyeError({ kind: 'input', where: path, expected: 'a folder', found: 'a file' })
      const names = readdirSync(path).filter((name) => !name.startsWith('.'))
      const listed = names.sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).slice(0, MOST_ENTRIES)
      const parent = dirname(path)
      const listing: FolderListing = {
        path,
        parent: parent !== path && isAllowed(parent) ? parent : null,
        entries: listed.flatMap((name) => entryOf(join(path, name), name, isAllowed)),
        isCut: names.length > listed.length,
      }
      return c.json(listing, 200, { 'Cache-Control': 'no-store' })
    })
    .post('/pick', async (c) => {
      const { paths } = await bodyOf(c, choice)
      const chosen = paths.map(allowed)
      for (const path of chosen) if (statSync(path).isDirectory()) refuseLinksOut(path)
      return c.json({ picked: chosen.map((path) => pick(services, path)) })
    })
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

function entryOf(path: string, name: string, isAllowed: (real: string) => boolean): FolderListing['entries'] {
  const own = lstatSync(path, { throwIfNoEntry: false })
  if (!own) return []
  const real = own.isSymbolicLink() ? realOf(path) : path
  const blank = { name, path, folder: false, size: 0, modified: own.mtimeMs }
  if (!real) return [{ ...blank, refused: 'a link to nothing' }]
  if (!isAllowed(real)) return [{ ...blank, refused: 'a link that leads out of the allowed folders' }]
  const stat = statSync(real, { throwIfNoEntry: false })
  // Sockets and devices are no data.
  if (!stat || !(stat.isFile() || stat.isDirectory())) return []
  return [{ name, path, folder: stat.isDirectory(), size: stat.isDirectory() ? 0 : stat.size, modified: stat.mtimeMs }]
}
