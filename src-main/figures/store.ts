import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError, formatError } from '../base/errors.ts'
import { isTemporary, sweepTemporary, writeFileAtomic } from '../base/files.ts'
import type { FigureDocument } from './document.ts'
import { parseDocument } from './document.ts'
import { freeze, thaw } from './frozen.ts'

export interface ListedPage {
  id: string
  title: string
  panels: number
  /** When it was last written, ISO 8601. */
  changed: string
}

/** Pages of figures in a workspace: `figures/ID.json`, and what panels were frozen with in `figures/frozen/HASH.json`. */
export class FigurePages {
  private readonly folder: string
  private readonly frozen: string

  constructor(workspacePath: string) {
    this.folder = join(workspacePath, 'figures')
    this.frozen = join(this.folder, 'frozen')
  }

  /** Newest first; what cannot be read is left out. */
  list(): ListedPage[] {
    if (!existsSync(this.folder)) return []
    sweepTemporary(this.folder)
    return readdirSync(this.folder)
      .filter((name) => name.endsWith('.json') && !isTemporary(name))
      .flatMap((name) => {
        const id = name.slice(0, -'.json'.length)
        try {
          const { title, panels } = this.read(id)
          return [{ id, title, panels: panels.length, changed: statSync(this.pathOf(id)).mtime.toISOString() }]
        } catch {
          return []
        }
      })
      .sort((a, b) => b.changed.localeCompare(a.changed))
  }

  /** Throws an input error for a page that is not there, a format error for a damaged one. */
  read(id: string): FigureDocument {
    const path = this.pathOf(id)
    if (!existsSync(path))
      throw new MindEyeError({
        kind: 'input',
        where: 'the page',
        expected: 'a page of this workspace',
        found: `'${id}'`,
      })
    return parseDocument(readJson(path), path)
  }

  write(id: string, page: FigureDocument): void {
    mkdirSync(this.folder, { recursive: true })
    writeFileAtomic(this.pathOf(id), `${JSON.stringify(page, undefined, 2)}\n`)
  }

  remove(id: string): void {
    rmSync(this.pathOf(id), { force: true })
  }

  /** Keeps what a panel shows; returns the name under which it is found again. */
  keep(content: unknown): string {
    const text = JSON.stringify(freeze(content))
    const name = createHash('sha256').update(text).digest('hex').slice(0, 16)
    mkdirSync(this.frozen, { recursive: true })
    const path = join(this.frozen, `${name}.json`)
    if (!existsSync(path)) writeFileAtomic(path, text)
    return name
  }

  /** What was kept; throws a state error when it is gone. */
  kept(name: string): unknown {
    const path = join(this.frozen, `${name}.json`)
    if (existsSync(path)) return thaw(readJson(path))
    throw new MindEyeError({
      kind: 'state',
      where: path,
      expected: 'the frozen data of a panel',
      found: 'no such file',
      fix: 'Let the panel follow its run again.',
    })
  }

  private pathOf(id: string): string {
    if (/^[a-z0-9][a-z0-9-]{0,63}$/.test(id)) return join(this.folder, `${id}.json`)
    throw new MindEyeError({
      kind: 'input',
      where: 'the page',
      field: 'id',
      expected: 'small letters, digits and hyphens',
      found: `'${id}'`,
    })
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown
  } catch (error) {
    throw formatError(path, 'content', 'JSON', (error as Error).message)
  }
}
