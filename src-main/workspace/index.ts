import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { isTemporary, makeFolders, sweepTemporary, writeFileAtomic } from '../base/files.ts'
import { openDatabase, type Db } from './database.ts'
import { Galleries } from './galleries.ts'
import { Jobs } from './jobs.ts'
import { Packs } from './packs.ts'
import { Runs } from './runs.ts'
import { Subjects } from './subjects.ts'
import { Uploads } from './uploads.ts'

export type { Galleries, GalleryImage, NewGallery } from './galleries.ts'
export type { Jobs, NewJob } from './jobs.ts'
export type { NewPack, Packs } from './packs.ts'
export { builtInPack } from './packs.ts'
export * from './records.ts'
export type { NewRun, RunPatch, Runs } from './runs.ts'
export type { Subjects, SubjectStaging } from './subjects.ts'
export type { NewUpload, Upload, Uploads } from './uploads.ts'

const marker = 'workspace.json'

/**
 * The folder on disk in which everything lives: `subjects/`, `runs/`, `packs/`, `galleries/`, and `index.sqlite`, which mirrors the first three and keeps the jobs.
 * Several processes (the app, commands) may have it open at once; engine processes write only into run folders.
 */
export class Workspace {
  readonly path: string
  readonly subjects: Subjects
  readonly runs: Runs
  readonly packs: Packs
  readonly galleries: Galleries
  readonly jobs: Jobs
  readonly uploads: Uploads
  /** What was found damaged on opening and how it was handled, for the log. */
  readonly problems: string[]
  private readonly db: Db

  private constructor(path: string) {
    this.path = path
    const { db, putAside } = openDatabase(join(path, 'index.sqlite'))
    this.db = db
    this.subjects = new Subjects(path, db)
    this.runs = new Runs(path, db)
    this.packs = new Packs(path, db)
    this.galleries = new Galleries(path)
    this.jobs = new Jobs(db)
    this.uploads = new Uploads(path)
    for (const { folder } of [this.subjects, this.runs, this.packs, this.galleries]) sweepTemporary(folder)
    sweepTemporary(path)
    this.problems = [this.subjects, this.runs, this.packs].flatMap((part) => part.reconcile())
    if (putAside)
      this.problems.unshift(`the index was damaged and has been rebuilt from the folders (old: ${putAside})`)
  }

  /** Opens the workspace; with `create`, makes a missing or empty folder into one. */
  static open(path: string, options: { create?: boolean } = {}): Workspace {
    const root = resolve(path)
    const content = readContent(root)
    const isOurs = content?.some((name) => name === marker || name === 'index.sqlite')
    if (!isOurs) {
      if (content?.length || !options.create) throw noWorkspace(root, content)
      mkdirSync(root, { recursive: true })
    }
    if (content?.includes(marker)) checkMarker(join(root, marker))
    else writeFileAtomic(join(root, marker), `${JSON.stringify({ format: 'mindeye-workspace', version: 1 })}\n`)
    // After the marker: without it a folder with anything in it would not be taken for ours.
    makeFolders(root, ['subjects', 'runs', 'packs', 'galleries'])
    return new Workspace(root)
  }

  close(): void {
    this.db.close()
  }
}

/** The names in the folder, or undefined when there is no folder. */
function readContent(root: string): string[] | undefined {
  if (!existsSync(root)) return undefined
  if (!statSync(root).isDirectory())
    throw new MindEyeError({ kind: 'input', where: root, expected: 'a workspace folder', found: 'a file' })
  // What a killed first opening left must not make the folder look like someone else's.
  return readdirSync(root).filter((name) => !isTemporary(name))
}

function checkMarker(path: string): void {
  let version: unknown
  try {
    version = (JSON.parse(readFileSync(path, 'utf8')) as { version?: unknown }).version
  } catch (error) {
    version = (error as Error).message
  }
  if (version === 1) return
  throw new MindEyeError({
    kind: 'state',
    where: path,
    field: 'version',
    expected: '1',
    found: String(version),
    fix: 'The workspace was made by a newer version of this program: update it, or open another workspace.',
  })
}

function noWorkspace(root: string, content: string[] | undefined): MindEyeError {
  const found = !content ? 'no such folder' : content.length ? 'a folder with other things in it' : 'an empty folder'
  return new MindEyeError({
    kind: 'input',
    where: root,
    expected: 'a workspace',
    found,
    fix: content?.length
      ? 'Check the path; a workspace is made by `mindeye import` in an empty or new folder.'
      : 'Import a subject into it first (`mindeye import`), or check the path.',
  })
}
