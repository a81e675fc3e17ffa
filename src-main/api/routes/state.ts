import { Hono } from 'hono'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError } from '../../base/errors.ts'
import { writeFileAtomic } from '../../base/files.ts'
import type { Services } from '../services.ts'

const LARGEST_BYTES = 1e6

/** What the page remembers from one start to the next (layouts, theme), by key, as JSON in `WORKSPACE/ui/KEY.json`; its address changes, so its own storage forgets. */
export const stateRoutes = ({ workspace }: Services) => {
  const fileOf = (key: string) => {
    if (!/^[a-z][a-z-]{0,40}$/.test(key))
      throw new MindEyeError({ kind: 'input', where: 'the key', expected: 'small letters', found: `'${key}'` })
    return join(workspace.path, 'ui', `${key}.json`)
  }
  return new Hono()
    .get('/:key', (c) => {
      const file = fileOf(c.req.param('key'))
      return c.json(existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as object) : null)
    })
    .put('/:key', async (c) => {
      const file = fileOf(c.req.param('key'))
      const text = await c.req.text()
      if (text.length > LARGEST_BYTES)
        throw new MindEyeError({
          kind: 'input',
          where: 'the state',
          expected: '1 MB at most',
          found: `${text.length} bytes`,
        })
      const value = JSON.parse(text) as object
      mkdirSync(join(workspace.path, 'ui'), { recursive: true })
      writeFileAtomic(file, JSON.stringify(value))
      return c.json({ kept: true })
    })
}
