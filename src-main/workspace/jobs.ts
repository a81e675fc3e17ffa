import { EtaClock } from '../base/eta.ts'
import type { ErrorParts } from '../base/errors.ts'
import { ownerState, thisProcess, type Owner } from '../base/owner.ts'
import type { Progress } from '../base/progress.ts'
import type { Db } from './database.ts'
import type { JobRecord, Json, JsonObject, State } from './records.ts'

export interface NewJob {
  action: string
  input: JsonObject
  run?: string
}

/** The states that may follow; the rest are final. */
const successors: Record<State, readonly State[]> = {
  queued: ['running', 'cancelled', 'interrupted'],
  running: ['done', 'failed', 'cancelled', 'interrupted'],
  done: [],
  failed: [],
  cancelled: [],
  interrupted: [],
}

interface Row {
  id: number
  action: string
  run: string | null
  input: string
  state: State
  owner: string
  created: string
  started: string | null
  finished: string | null
  progress: string | null
  eta: number | null
  error: string | null
  result: string | null
}

const progressEveryMs = 500

/** Work in progress and past, of every process that shares the workspace. */
export class Jobs {
  private readonly db: Db
  private readonly clocks = new Map<number, { clock: EtaClock; written: number }>()

  constructor(db: Db) {
    this.db = db
  }

  /** Newest first; a job whose process is gone shows as interrupted. */
  list(limit = 200): JobRecord[] {
    this.settleDead()
    return this.db.prepare<[number], Row>('SELECT * FROM jobs ORDER BY id DESC LIMIT ?').all(limit).map(toRecord)
  }

  /** All jobs of an action, newest first, however many others came after them. */
  ofAction(action: string): JobRecord[] {
    this.settleDead()
    return this.db
      .prepare<[string], Row>('SELECT * FROM jobs WHERE action = ? ORDER BY id DESC')
      .all(action)
      .map(toRecord)
  }

  /** Seconds that all jobs of a run have worked so far, those that were interrupted too. */
  secondsOf(run: string): number {
    this.settleDead()
    const legs = this.db.prepare<[string], Row>('SELECT * FROM jobs WHERE run = ? AND started IS NOT NULL').all(run)
    return legs.reduce((sum, { started, finished }) => {
      return sum + ((finished ? Date.parse(finished) : Date.now()) - Date.parse(started!)) / 1000
    }, 0)
  }

  get(id: number): JobRecord {
    this.settleDead()
    const row = this.db.prepare<[number], Row>('SELECT * FROM jobs WHERE id = ?').get(id)
    if (!row) throw new Error(`there is no job ${id}`)
    return toRecord(row)
  }

  /** A new job, queued and held by this process. */
  add({ action, input, run }: NewJob): JobRecord {
    const { lastInsertRowid } = this.db
      .prepare("INSERT INTO jobs (action, run, input, state, owner, created) VALUES (?, ?, ?, 'queued', ?, ?)")
      .run(action, run ?? null, JSON.stringify(input), JSON.stringify(thisProcess()), new Date().toISOString())
    return this.get(Number(lastInsertRowid))
  }

  start(id: number): JobRecord {
    this.move(id, 'running', () =>
      this.db.prepare('UPDATE jobs SET started = ? WHERE id = ?').run(new Date().toISOString(), id),
    )
    return this.get(id)
  }

  /** Ties the job to the run it works on. */
  setRun(id: number, run: string): void {
    this.db.prepare('UPDATE jobs SET run = ? WHERE id = ?').run(run, id)
  }

  /** Keeps the report with an estimate of the time left; written twice a second at most. */
  report(id: number, progress: Progress): void {
    const entry = this.clocks.get(id) ?? { clock: new EtaClock(), written: -Infinity }
    this.clocks.set(id, entry)
    const eta = entry.clock.update(progress)
    if (Date.now() - entry.written < progressEveryMs) return
    entry.written = Date.now()
    this.db
      .prepare("UPDATE jobs SET progress = ?, eta = ? WHERE id = ? AND state = 'running'")
      .run(JSON.stringify({ ...progress, at: new Date().toISOString() }), eta ?? null, id)
  }

  log(id: number, line: string): void {
    this.db.prepare('INSERT INTO job_log (job, at, line) VALUES (?, ?, ?)').run(id, new Date().toISOString(), line)
  }

  /** The log's last lines, oldest first. */
  logOf(id: number, limit = 1000): { at: string; line: string }[] {
    return this.db
      .prepare<[number, number], { at: string; line: string }>(
        'SELECT at, line FROM job_log WHERE job = ? ORDER BY rowid DESC LIMIT ?',
      )
      .all(id, limit)
      .reverse()
  }

  finish(
    id: number,
    state: Exclude<State, 'queued' | 'running'>,
    { error, result }: { error?: ErrorParts; result?: Json } = {},
  ): JobRecord {
    this.move(id, state, () =>
      this.db
        .prepare('UPDATE jobs SET finished = ?, eta = NULL, error = ?, result = ? WHERE id = ?')
        .run(
          new Date().toISOString(),
          error ? JSON.stringify(error) : null,
          result === undefined ? null : JSON.stringify(result),
          id,
        ),
    )
    this.clocks.delete(id)
    return this.get(id)
  }

  /**
   * Only a dead owner's job is interrupted: the app and several commands may share a workspace. It ended with its last report, not when
   * somebody noticed.
   */
  private settleDead(): void {
    const held = this.db
      .prepare<[], { id: number; owner: string }>("SELECT id, owner FROM jobs WHERE state IN ('queued', 'running')")
      .all()
    const settle = this.db.prepare(
      `UPDATE jobs SET state = 'interrupted', eta = NULL, finished = coalesce(json_extract(progress, '$.at'), started, created)
       WHERE id = ? AND state IN ('queued', 'running')`,
    )
    for (const { id, owner } of held) if (ownerState(JSON.parse(owner) as Owner) === 'dead') settle.run(id)
  }

  private move(id: number, to: State, also: () => void): void {
    this.db
      .transaction(() => {
        const from = this.db.prepare<[number], { state: State }>('SELECT state FROM jobs WHERE id = ?').get(id)?.state
        if (!from || !successors[from].includes(to))
          throw new Error(`job ${id} cannot go from ${from ?? 'nothing'} to ${to}`)
        this.db.prepare('UPDATE jobs SET state = ? WHERE id = ?').run(to, id)
        also()
      })
      .immediate()
  }
}

function toRecord(row: Row): JobRecord {
  return {
    id: row.id,
    action: row.action,
    run: row.run ?? undefined,
    input: JSON.parse(row.input) as JsonObject,
    state: row.state,
    owner: JSON.parse(row.owner) as Owner,
    created: row.created,
    started: row.started ?? undefined,
    finished: row.finished ?? undefined,
    progress: row.progress ? (JSON.parse(row.progress) as Progress) : undefined,
    eta: row.eta ?? undefined,
    error: row.error ? (JSON.parse(row.error) as ErrorParts) : undefined,
    result: row.result ? (JSON.parse(row.result) as Json) : undefined,
  }
}
