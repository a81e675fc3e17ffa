import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { removeFolder, stageFolder } from '../base/files.ts'
import { layout } from '../base/layout.ts'
import type { Db } from './database.ts'
import { checkId, readChanged } from './mirror.ts'
import type { JsonObject, PackRecord } from './records.ts'

export type NewPack = Pick<PackRecord, 'folder' | 'fingerprint' | 'parts'>

interface Row {
  id: string
  record: string
}

/** Id of the pack that comes with the program; a pack registered under this id takes its place. */
const BUILT_IN = 'demo'

/** The pack that comes with the program, wherever that lies now. */
export function builtInPack(): PackRecord {
  const folder = layout.resource(`packs/${BUILT_IN}`)
  const record = JSON.parse(readFileSync(join(folder, 'pack.json'), 'utf8')) as Omit<PackRecord, 'id' | 'folder'>
  return { ...record, id: BUILT_IN, folder }
}

/**
 * The registered packs, and the one that comes with the program. `packs/ID/pack.json` says where a registered pack lies and what it was; its
 * files stay where they are. Mirrored in the index.
 */
export class Packs {
  readonly folder: string
  private readonly db: Db

  constructor(root: string, db: Db) {
    this.folder = join(root, 'packs')
    this.db = db
  }

  list(): PackRecord[] {
    const registered = this.registered()
    if (registered.some(({ id }) => id === BUILT_IN)) return registered
    return [builtInPack(), ...registered]
  }

  private registered(): PackRecord[] {
    return this.db.prepare<[], Row>('SELECT * FROM packs ORDER BY id').all().map(toRecord)
  }

  /** Throws a `MindEyeError` that names the packs there are. */
  get(id: string): PackRecord {
    const row = this.db.prepare<[string], Row>('SELECT * FROM packs WHERE id = ?').get(id)
    if (row) return toRecord(row)
    if (id === BUILT_IN) return builtInPack()
    const known = this.list().map((pack) => pack.id)
    throw new MindEyeError({
      kind: 'input',
      where: '--pack',
      expected: `one of ${known.join(', ')}`,
      found: `'${id}'`,
      fix: 'Register a folder of pretrained networks with `mindeye pack add FOLDER --workspace W`.',
    })
  }

  /** Registers a pack under a new id, durably. */
  add(id: string, pack: NewPack): PackRecord {
    checkId(id, '--id')
    const folder = join(this.folder, id)
    if (existsSync(folder)) throw taken(id)
    const staged = stageFolder(folder)
    try {
      const content = { version: 1, added: new Date().toISOString(), ...pack }
      writeFileSync(join(staged.folder, 'pack.json'), `${JSON.stringify(content, undefined, 2)}\n`)
      staged.commit()
    } catch (error) {
      staged.discard()
      throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? taken(id) : error
    }
    this.reconcile()
    return this.get(id)
  }

  /** Forgets a pack; its files are not ours and stay. */
  remove(id: string): void {
    this.get(id)
    if (!existsSync(join(this.folder, id))) throw notRegistered(id)
    removeFolder(join(this.folder, id))
    this.db.prepare('DELETE FROM packs WHERE id = ?').run(id)
  }

  /** Makes the index agree with the folders; returns what could not be read. */
  reconcile(): string[] {
    const known = this.db.prepare<[], { id: string; mtime: number }>('SELECT id, mtime FROM packs').all()
    const { changed, gone, problems } = readChanged(
      this.folder,
      'pack.json',
      new Map(known.map(({ id, mtime }) => [id, mtime])),
    )
    const put = this.db.prepare('INSERT OR REPLACE INTO packs (id, record, mtime) VALUES (?, ?, ?)')
    this.db.transaction(() => {
      for (const { id, content, mtime } of changed) put.run(id, JSON.stringify(content), mtime)
      for (const id of gone) this.db.prepare('DELETE FROM packs WHERE id = ?').run(id)
    })()
    return problems
  }
}

function toRecord({ id, record }: Row): PackRecord {
  return { ...(JSON.parse(record) as JsonObject & Omit<PackRecord, 'id'>), id }
}

function notRegistered(id: string): MindEyeError {
  return new MindEyeError({
    kind: 'input',
    where: id,
    expected: 'a pack that was registered',
    found: 'the one that comes with the program',
    fix: 'It takes no room in the workspace; leave it.',
  })
}

function taken(id: string): MindEyeError {
  return new MindEyeError({
    kind: 'input',
    where: '--id',
    expected: 'an id that is not taken',
    found: `'${id}', which is a pack of this workspace`,
    fix: 'Choose another id with `--id`, or remove that one with `mindeye pack remove`.',
  })
}
