import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { ActionContext } from '../actions/action.ts'
import { cacheIsThere } from '../subjects/cache.ts'
import { openSubject, type Subject } from '../subjects/subject.ts'
import type { Workspace } from '../workspace/index.ts'

/** Each holds two open files and its tables. */
const MOST_OPEN = 6

interface Entry {
  version: number
  opening: Promise<Subject>
}

/** The subjects that pages look at, kept open, so that going back and forth between them reads no table twice. */
export class OpenSubjects {
  private readonly workspace: Workspace
  private readonly ctx: ActionContext
  /** By id, the one used last at the end. */
  private readonly entries = new Map<string, Entry>()

  constructor(workspace: Workspace, ctx: ActionContext) {
    this.workspace = workspace
    this.ctx = ctx
  }

  /**
   * The subject, opened; read from it at once, since it may be closed for others that are asked for. A deleted cache is made again, in
   * the reader process. Throws an input error for an unknown id.
   */
  async get(id: string): Promise<Subject> {
    const { folder } = this.workspace.subjects.get(id)
    const version = versionOf(folder)
    let entry = this.entries.get(id)
    if (entry?.version !== version) {
      this.forget(id)
      const opened: Entry = { version, opening: this.open(folder) }
      entry = opened
      // One that could not be opened is tried again by whoever asks next.
      opened.opening.catch(() => this.entries.get(id) === opened && this.entries.delete(id))
    }
    this.entries.delete(id)
    this.entries.set(id, entry)
    while (this.entries.size > MOST_OPEN) this.forget(this.entries.keys().next().value!)
    return entry.opening
  }

  /** Changes when the subject was imported anew; for addresses and tags of what never changes otherwise. Throws for an unknown id. */
  versionOf(id: string): string {
    return versionOf(this.workspace.subjects.get(id).folder).toString(36)
  }

  /** Closes the subject's files, before its folder is removed. */
  forget(id: string): void {
    const entry = this.entries.get(id)
    this.entries.delete(id)
    entry?.opening.then((subject) => subject.close()).catch(() => {})
  }

  close(): void {
    for (const id of [...this.entries.keys()]) this.forget(id)
  }

  private async open(folder: string): Promise<Subject> {
    if (!cacheIsThere(folder)) await this.ctx.reader().call('rebuildCache', { folder })
    return openSubject(folder)
  }
}

const versionOf = (folder: string): number =>
  Math.round(statSync(join(folder, 'subject.json'), { throwIfNoEntry: false })?.mtimeMs ?? 0)
