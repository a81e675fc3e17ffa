import Database from 'better-sqlite3'
import { existsSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { MindEyeError } from '../base/errors.ts'

export type Db = Database.Database

/**
 * Each entry lifts the schema by one version; entries are only ever added. `subjects`, `runs` and `packs` mirror the folders of the
 * same name and can be rebuilt from them: `mtime` tells whether a mirrored file has changed since.
 */
const migrations = [
  `CREATE TABLE subjects (id TEXT PRIMARY KEY, added TEXT NOT NULL, manifest TEXT NOT NULL, mtime REAL NOT NULL);
   CREATE TABLE runs (id TEXT PRIMARY KEY, created TEXT NOT NULL, state TEXT NOT NULL, record TEXT NOT NULL, mtime REAL NOT NULL);
   CREATE INDEX runs_by_state ON runs (state);
   CREATE TABLE jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, run TEXT, input TEXT NOT NULL,
     state TEXT NOT NULL, owner TEXT NOT NULL, created TEXT NOT NULL, started TEXT, finished TEXT,
     progress TEXT, eta REAL, error TEXT);
   CREATE INDEX jobs_by_state ON jobs (state);
   CREATE TABLE job_log (job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, at TEXT NOT NULL, line TEXT NOT NULL);
   CREATE INDEX job_log_by_job ON job_log (job);`,
  `CREATE TABLE packs (id TEXT PRIMARY KEY, record TEXT NOT NULL, mtime REAL NOT NULL);`,
  `ALTER TABLE jobs ADD COLUMN result TEXT;`,
]

/** Where SQLite's shared memory cannot work, so neither can its write-ahead log: statfs types of network file systems. */
const networkTypes = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x65735546, // FUSE: sshfs and others
  0x01021997, // 9p
  0x0bd00bd0, // Lustre
  0x47504653, // GPFS
  0x19830326, // BeeGFS
  0x00c36400, // Ceph
  0x5346414f, // AFS
])

function isNetworkDisk(folder: string): boolean {
  try {
    return networkTypes.has(statfsSync(folder).type >>> 0)
  } catch {
    return false
  }
}

export interface OpenedDatabase {
  db: Db
  /** The damaged index was put aside under this name and an empty one begun. */
  putAside?: string
}

/**
 * Opens the index, brings its schema up to date, and begins a new one where the file is damaged (its contents mirror folders,
 * but for the list of past jobs). Refuses an index written by a newer version.
 */
export function openDatabase(file: string, network = isNetworkDisk(dirname(file))): OpenedDatabase {
  try {
    return { db: openAndMigrate(file, network) }
  } catch (error) {
    if (!isDamage(error)) throw explain(error, file)
    const putAside = `${file}.damaged-${new Date().toISOString().replaceAll(/[-:]|\..*/g, '')}`
    renameSync(file, putAside)
    // The journal of a damaged file must not be replayed into a new one.
    for (const suffix of ['-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true })
    return { db: openAndMigrate(file, network), putAside }
  }
}

function openAndMigrate(file: string, network: boolean): Db {
  const isNew = !existsSync(file)
  const db = new Database(file, { timeout: 10_000 })
  try {
    db.pragma(`journal_mode = ${network ? 'DELETE' : 'WAL'}`)
    db.pragma('foreign_keys = ON')
    if (!isNew && db.pragma('quick_check(1)', { simple: true }) !== 'ok')
      throw Object.assign(new Error('quick_check failed'), { code: 'SQLITE_CORRUPT' })
    migrate(db, file)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function migrate(db: Db, file: string): void {
  const upgrade = db.transaction(() => {
    const version = db.pragma('user_version', { simple: true }) as number
    if (version > migrations.length)
      throw new MindEyeError({
        kind: 'state',
        where: file,
        field: 'schema version',
        expected: `at most ${migrations.length}`,
        found: String(version),
        fix: 'The workspace was used with a newer version of this program: update it, or open another workspace.',
      })
    for (const step of migrations.slice(version)) db.exec(step)
    if (version < migrations.length) db.pragma(`user_version = ${migrations.length}`)
  })
  // Immediate: of two processes that start at once, one migrates and the other waits.
  upgrade.immediate()
}

function isDamage(error: unknown): boolean {
  const code = (error as { code?: string } | undefined)?.code ?? ''
  // A file of the right kind without our tables (SQLITE_ERROR in a migration or later) is damage, too.
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB' || code === 'SQLITE_ERROR'
}

function explain(error: unknown, file: string): unknown {
  const code = (error as { code?: string } | undefined)?.code ?? ''
  const parts = { kind: 'state', where: file, found: (error as Error).message } as const
  if (code.startsWith('SQLITE_BUSY'))
    return new MindEyeError({
      ...parts,
      expected: 'to get hold of the index within 10 s',
      fix: 'Another program holds the workspace: let it finish or close it.',
    })
  if (/^SQLITE_(CANTOPEN|READONLY|PERM|IOERR|FULL)/.test(code))
    return new MindEyeError({
      ...parts,
      expected: 'to read and write the index',
      fix: 'Check the permissions and the free space of the folder.',
    })
  return error
}
