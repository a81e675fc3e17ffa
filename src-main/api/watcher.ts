import { statSync } from 'node:fs'
import { join } from 'node:path'
import { listSubjects } from '../actions/subjects.ts'
import { batchFile } from '../training/batchSnapshot.ts'
import type { Workspace } from '../workspace/index.ts'
import type { EventMap, Events } from './events.ts'

const EVERY_MS = 400

/** All lists of the workspace, as a page begins with them. */
export function snapshotOf(workspace: Workspace): EventMap['snapshot'] {
  return {
    workspace: workspace.path,
    jobs: workspace.jobs.list(),
    runs: workspace.runs.list(),
    subjects: listSubjects(workspace),
    packs: workspace.packs.list(),
  }
}

/**
 * Tells pages what changed in the workspace, whoever changed it: this app, an engine process, or a command in another terminal. It looks
 * a few times a second, and only while somebody listens.
 */
export function watchWorkspace(workspace: Workspace, events: Events): { close(): void } {
  const jobs = new Changes(({ id }: { id: number }) => String(id))
  const runs = new Changes(({ id }: { id: string }) => id)
  const subjects = new Changes(() => 'all')
  const packs = new Changes(() => 'all')
  const sizes = new Map<string, number>()
  const times = new Map<string, number>()
  const look = () => {
    const now = snapshotOf(workspace)
    const changedJobs = jobs.of(now.jobs)
    if (changedJobs.changed.length) events.emit('jobs', changedJobs.changed)
    const changedRuns = runs.of(now.runs)
    if (changedRuns.changed.length) events.emit('runs', changedRuns.changed)
    if (changedRuns.gone.length) events.emit('runsRemoved', changedRuns.gone)
    if (subjects.of([now.subjects]).changed.length) events.emit('subjects', now.subjects)
    if (packs.of([now.packs]).changed.length) events.emit('packs', now.packs)
    const atWork = new Set(changedRuns.changed.map(({ id }) => id))
    for (const { id, state } of now.runs) {
      if (state !== 'running' && !atWork.has(id)) continue
      const folder = workspace.runs.folderOf(id)
      const metrics = statSync(join(folder, 'metrics.jsonl'), { throwIfNoEntry: false })
      if (metrics && metrics.size !== sizes.get(id)) events.emit('metrics', { run: id, size: metrics.size })
      if (metrics) sizes.set(id, metrics.size)
      const batch = statSync(batchFile(folder), { throwIfNoEntry: false })
      if (batch && batch.mtimeMs !== times.get(id)) events.emit('batch', { run: id, changed: batch.mtimeMs })
      if (batch) times.set(id, batch.mtimeMs)
    }
  }
  const timer = setInterval(() => {
    if (events.audience) look()
  }, EVERY_MS)
  return { close: () => clearInterval(timer) }
}

/** Which items of a list are new or differ from the last time, and which are gone. */
class Changes<T> {
  private last = new Map<string, string>()
  private readonly keyOf: (item: T) => string

  constructor(keyOf: (item: T) => string) {
    this.keyOf = keyOf
  }

  of<I extends T>(items: readonly I[]): { changed: I[]; gone: string[] } {
    const now = new Map(items.map((item) => [this.keyOf(item), JSON.stringify(item)]))
    const changed = items.filter((item) => now.get(this.keyOf(item)) !== this.last.get(this.keyOf(item)))
    const gone = [...this.last.keys()].filter((key) => !now.has(key))
    this.last = now
    return { changed, gone }
  }
}
