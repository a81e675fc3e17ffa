import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { removeFolder, stageFolder } from '../base/files.ts'
import type { Db } from './database.ts'
import { checkId, readChanged } from './mirror.ts'
import type { JsonObject, SubjectRecord } from './records.ts'

export interface SubjectStaging {
  /** The importer writes `subject.json` and everything else here. */
  readonly folder: string
  commit(): SubjectRecord
  discard(): void
}

interface Row {
  id: string
  added: string
  manifest: string
}

/** The imported subjects: `subjects/ID/` with its `subject.json`, mirrored in the index. */
export class Subjects {
  readonly folder: string
  private readonly db: Db

  constructor(root: string, db: Db) {
    this.folder = join(root, 'subjects')
    this.db = db
  }

  list(): SubjectRecord[] {
    const rows = this.db.prepare<[], Row>('SELECT * FROM subjects ORDER BY id').all()
    return rows.map((row) => this.record(row))
  }

  has(id: string): boolean {
    return this.find(id) !== undefined
  }

  /** Throws a `MindEyeError` that names the subjects there are. */
  get(id: string): SubjectRecord {
    const row = this.find(id)
    if (row) return this.record(row)
    const known = this.list().map((subject) => subject.id)
    throw new MindEyeError({
      kind: 'input',
      where: '--subject',
      expected: known.length ? `one of ${known.join(', ')}` : 'an imported subject',
      found: `'${id}'`,
      fix: known.length ? undefined : 'Import one with `mindeye import`.',
    })
  }

  /** Begins an import: nothing is seen under the id before `commit()`, which makes it durable at once. */
  stage(id: string): SubjectStaging {
    checkId(id, '--as')
    const folder = join(this.folder, id)
    if (existsSync(folder)) throw taken(id)
    const staged = stageFolder(folder)
    return {
      folder: staged.folder,
      discard: () => staged.discard(),
      commit: () => {
        try {
          if (!existsSync(join(staged.folder, 'subject.json')))
            throw new Error('the staged subject has no subject.json')
          staged.commit()
        } catch (error) {
          staged.discard()
          throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? taken(id) : error
        }
        this.reconcile()
        return this.get(id)
      },
    }
  }

  /** Removes the subject with its caches; the source files it refers to are not ours and stay. */
  remove(id: string): void {
    this.get(id)
    removeFolder(join(this.folder, id))
    this.db.prepare('DELETE FROM subjects WHERE id = ?').run(id)
  }

  /** Makes the index agree with the folders; returns what could not be read. */
  reconcile(): string[] {
    const known = this.db.prepare<[], { id: string; mtime: number }>('SELECT id, mtime FROM subjects').all()
    const { changed, gone, problems } = readChanged(
      this.folder,
      'subject.json',
      new Map(known.map(({ id, mtime }) => [id, mtime])),
    )
    const put = this.db.prepare('INSERT OR REPLACE INTO subjects (id, added, manifest, mtime) VALUES (?, ?, ?, ?)')
    this.db.transaction(() => {
      for (const { id, content, mtime } of changed)
        put.run(id, statSync(join(this.folder, id)).birthtime.toISOString(), JSON.stringify(content), mtime)
      for (const id of gone) this.db.prepare('DELETE FROM subjects WHERE id = ?').run(id)
    })()
    return problems
  }

  private find(id: string): Row | undefined {
    return this.db.prepare<[string], Row>('SELECT * FROM subjects WHERE id = ?').get(id)
  }

  private record({ id, added, manifest }: Row): SubjectRecord {
    return { id, folder: join(this.folder, id), added, manifest: JSON.parse(manifest) as JsonObject }
  }
}

function taken(id: string): MindEyeError {
  return new MindEyeError({
    kind: 'input',
    where: '--as',
    expected: 'an id that is not taken',
    found: `'${id}', which is a subject of this workspace`,
    fix: 'Choose another id with `--as`.',
  })
}
