import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError, type ErrorParts } from '../base/errors.ts'
import { removeFolder, stageFolder, writeFileAtomic } from '../base/files.ts'
import { ownerState, thisProcess } from '../base/owner.ts'
import type { Db } from './database.ts'
import { readChanged } from './mirror.ts'
import { type JsonObject, type RunRecord, type State } from './records.ts'

export interface NewRun {
  subject: string
  preset: string
  config: JsonObject
}

/** What may be added or changed in the course of a run. */
export type RunPatch = Partial<Pick<RunRecord, 'config' | 'summary'>>

/**
 * The trainings: `runs/RUN/` with its `run.json`, which is the truth and which the index mirrors. Only this class writes
 * `run.json`; engine processes write the other files of the folder.
 */
export class Runs {
  readonly folder: string
  private readonly db: Db

  constructor(root: string, db: Db) {
    this.folder = join(root, 'runs')
    this.db = db
  }

  /** Newest first; a run whose process is gone shows as interrupted. */
  list(): RunRecord[] {
    this.settleDead()
    const rows = this.db.prepare<[], { record: string }>('SELECT record FROM runs ORDER BY created DESC, id DESC').all()
    return rows.map(({ record }) => JSON.parse(record) as RunRecord)
  }

  /** Throws a `MindEyeError` that names the latest runs. */
  get(id: string): RunRecord {
    this.settleDead()
    const run = this.find(id)
    if (run) return run
    const latest = this.list().slice(0, 5)
    throw new MindEyeError({
      kind: 'input',
      where: 'the run',
      expected: latest.length ? `a run of this workspace, e.g. ${latest.map((r) => r.id).join(', ')}` : 'a trained run',
      found: `'${id}'`,
      fix: latest.length ? 'List them with `mindeye runs`.' : 'Train one with `mindeye train`.',
    })
  }

  folderOf(id: string): string {
    return join(this.folder, id)
  }

  /** A new run, queued and held by this process; its folder appears complete with its `run.json`. */
  create({ subject, preset, config }: NewRun): RunRecord {
    const now = new Date()
    const run: RunRecord = {
      version: 1,
      id: newRunId(now, preset, subject),
      subject,
      preset,
      state: 'queued',
      created: now.toISOString(),
      owner: thisProcess(),
      config,
      summary: {},
    }
    const staged = stageFolder(this.folderOf(run.id))
    try {
      writeFileAtomic(join(staged.folder, 'run.json'), encode(run))
    } catch (error) {
      staged.discard()
      throw error
    }
    staged.commit()
    this.mirror(run)
    return run
  }

  /** Records what a run is and has reached, its state untouched: the given fields replace those of the same name. */
  update(id: string, { config, summary }: RunPatch): RunRecord {
    return this.change(id, (run) => ({
      ...run,
      config: { ...run.config, ...config },
      summary: { ...run.summary, ...summary },
    }))
  }

  /**
   * Takes a queued run, or one that ended early, for this process: it is `running` from here on. Throws a `MindEyeError` when it
   * is done or another process holds it, so that two can never train one run.
   */
  claim(id: string): RunRecord {
    return this.change(id, (run) => {
      const self = thisProcess()
      const mine = run.owner?.pid === self.pid && run.owner.started === self.started && run.owner.host === self.host
      const isOurs = mine && run.state === 'queued'
      const isLeft = run.state !== 'done' && !isHeld(run, this.folderOf(id))
      if (!isOurs && !isLeft) throw notClaimable(run)
      const { error: _, finished: __, ...rest } = run
      return { ...rest, state: 'running', owner: self }
    })
  }

  /** Ends this process's hold on the run. */
  finish(id: string, state: Exclude<State, 'queued' | 'running'>, error?: ErrorParts): RunRecord {
    return this.change(id, (run) => {
      if (run.state !== 'queued' && run.state !== 'running') throw new Error(`run ${id} is ${run.state} already`)
      const { owner: _, ...rest } = run
      return { ...rest, state, finished: new Date().toISOString(), error }
    })
  }

  /** Removes the run with everything in its folder; refuses while a living process holds it. */
  delete(id: string): void {
    const run = this.get(id)
    if (isHeld(run, this.folderOf(id)))
      throw new MindEyeError({
        kind: 'state',
        where: id,
        expected: 'a run that has ended',
        found: `that it is ${heldBy(run)}`,
        fix: 'Stop it first.',
      })
    if (existsSync(this.folderOf(id))) removeFolder(this.folderOf(id))
    this.db.prepare('DELETE FROM runs WHERE id = ?').run(id)
  }

  /** Makes the index agree with the folders; returns what could not be read. */
  reconcile(): string[] {
    const known = this.db.prepare<[], { id: string; mtime: number }>('SELECT id, mtime FROM runs').all()
    const { changed, gone, problems } = readChanged(
      this.folder,
      'run.json',
      new Map(known.map(({ id, mtime }) => [id, mtime])),
    )
    this.db.transaction(() => {
      for (const { id, content } of changed) {
        const run = content as unknown as RunRecord
        if (run.version === 1 && run.id === id && typeof run.state === 'string') this.mirror(run)
        else problems.push(`${join(this.folder, id, 'run.json')} is not the record of the run ${id}; it is left out`)
      }
      for (const id of gone) this.db.prepare('DELETE FROM runs WHERE id = ?').run(id)
    })()
    return problems
  }

  private settleDead(): void {
    const held = this.db
      .prepare<[], { record: string }>("SELECT record FROM runs WHERE state IN ('queued', 'running')")
      .all()
    for (const { record } of held) {
      const { id, owner } = JSON.parse(record) as RunRecord
      if (owner && ownerState(owner) !== 'dead') continue
      this.change(id, (run) => {
        // Another process may have taken it up since.
        if (run.owner && ownerState(run.owner) !== 'dead') return run
        const { owner: _, ...rest } = run
        return { ...rest, state: 'interrupted', finished: new Date().toISOString() }
      })
    }
  }

  /** One writer at a time: the index's write lock also guards `run.json`. */
  private change(id: string, edit: (run: RunRecord) => RunRecord): RunRecord {
    return this.db
      .transaction(() => {
        const path = join(this.folderOf(id), 'run.json')
        if (!existsSync(path)) {
          this.db.prepare('DELETE FROM runs WHERE id = ?').run(id)
          throw new MindEyeError({
            kind: 'state',
            where: path,
            expected: 'the record of the run',
            found: 'no such file',
          })
        }
        const before = JSON.parse(readFileSync(path, 'utf8')) as RunRecord
        const after = edit(before)
        if (after !== before) writeFileAtomic(path, encode(after))
        this.mirror(after)
        return after
      })
      .immediate()
  }

  private mirror(run: RunRecord): void {
    const { mtimeMs } = statSync(join(this.folderOf(run.id), 'run.json'))
    this.db
      .prepare('INSERT OR REPLACE INTO runs (id, created, state, record, mtime) VALUES (?, ?, ?, ?, ?)')
      .run(run.id, run.created, run.state, JSON.stringify(run), mtimeMs)
  }

  private find(id: string): RunRecord | undefined {
    const row = this.db.prepare<[string], { record: string }>('SELECT record FROM runs WHERE id = ?').get(id)
    return row && (JSON.parse(row.record) as RunRecord)
  }
}

function encode(run: RunRecord): string {
  return `${JSON.stringify(run, null, 2)}\n`
}

/** e.g. `20261123-1742-small-study-s1-ab3f`: sorts by local time, says what it is, and its tail keeps two apart. */
function newRunId(now: Date, preset: string, subject: string): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
  const plain = (text: string) => text.replaceAll(/[^A-Za-z0-9._]+/g, '-').slice(0, 24)
  // Uniqueness only, nothing numerical depends on it.
  const tail = crypto.randomUUID().slice(0, 4)
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}-${plain(preset)}-${plain(subject)}-${tail}`
}

/** A process of another machine shows life only by what it writes into the run's folder. */
const silenceMs = 10 * 60_000

/** Whether someone is, or may well be, working on the run. */
function isHeld({ owner }: RunRecord, folder: string): boolean {
  if (!owner || !existsSync(folder)) return false
  const state = ownerState(owner)
  if (state !== 'unknown') return state === 'alive'
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const lastSign = Math.max(
    0,
    ...files.map((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0),
  )
  return Date.now() - lastSign < silenceMs
}

function heldBy({ state, owner }: RunRecord): string {
  return owner ? `${state} (process ${owner.pid} on ${owner.host})` : state
}

function notClaimable(run: RunRecord): MindEyeError {
  const parts = { kind: 'state', where: run.id, expected: 'a run that ended early' } as const
  if (run.state === 'done')
    return new MindEyeError({ ...parts, found: 'that it is done', fix: 'Start a new run to train further.' })
  const isElsewhere = run.owner && ownerState(run.owner) === 'unknown'
  const fix = isElsewhere
    ? 'If that machine is gone, try again 10 minutes after the run last wrote something.'
    : 'Wait for it, or stop it first.'
  return new MindEyeError({ ...parts, found: `that it is ${heldBy(run)}`, fix })
}
