import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { safeParts } from './uploadNames.ts'

/** A file on its way from a browser. */
export interface Upload {
  id: string
  /** Below the folder of its drop. */
  path: string
  /** Bytes there will be, and bytes that are here: it goes on from there. */
  size: number
  received: number
  done: boolean
}

export interface NewUpload {
  /** `name`, or `folder/…/name` inside a dropped folder. */
  path: string
  /** Bytes. */
  size: number
}

interface Partial {
  group: string
  parts: string[]
  size: number
}

const DAY_MS = 86_400_000
/** Left to the system and to SQLite. */
const RESERVE_BYTES = 256 * 2 ** 20
const PARTIAL = '.partial'

/**
 * Files dropped in a browser, in `uploads/GROUP/…`, one group for each drop, its tree kept. What has not come in whole lies under
 * `uploads/.partial` and goes on where it stopped, also after a restart; a day later it is swept away. The same file of the same group has
 * the same id, so that dropping it again goes on with it.
 */
export class Uploads {
  readonly folder: string
  private readonly freeBytes: (folder: string) => number
  private readonly atWork = new Set<string>()
  /** Of this session, so that the end of one can be asked for. */
  private readonly finished = new Map<string, Partial>()

  /** `freeBytes` of the disk that holds a folder. */
  constructor(root: string, freeBytes = bytesFree) {
    this.folder = join(root, 'uploads')
    this.freeBytes = freeBytes
    this.sweep()
  }

  /** Begins files of a group, or finds how far they have come. Throws before the first byte when they do not fit on the disk. */
  begin(group: string, files: readonly NewUpload[]): Upload[] {
    checkGroup(group)
    const wanted = files.map(({ path, size }) => this.plan(group, path, size))
    const known = new Map(wanted.map((one) => [one.id, this.find(one.id, one.partial)]))
    const missing = wanted.reduce((sum, { id, partial }) => sum + partial.size - (known.get(id)?.received ?? 0), 0)
    const waiting = this.partials().filter(([id]) => !known.has(id))
    const promised = waiting.reduce((sum, [id, { size }]) => sum + size - this.received(id), 0)
    mkdirSync(join(this.folder, PARTIAL), { recursive: true })
    const free = this.freeBytes(this.folder) - promised
    if (missing + RESERVE_BYTES > free)
      throw new MindEyeError({
        kind: 'state',
        where: this.folder,
        expected: `room for ${gigabytes(missing)} on the disk of the workspace, and ${gigabytes(RESERVE_BYTES)} to spare`,
        found: `${gigabytes(Math.max(0, free))} free`,
        fix: 'Free some space, or open the files where they are (Open files…) instead of uploading a copy.',
      })
    return wanted.map(({ id, partial }) => {
      const upload = known.get(id)
      if (upload) return upload
      writeFileSync(this.metaOf(id), JSON.stringify(partial))
      writeFileSync(this.partOf(id), '')
      // Of an empty file nothing will come.
      if (partial.size === 0) this.finish(id)
      return this.get(id)
    })
  }

  /** How far a file has come; throws an input error for an unknown id. */
  get(id: string): Upload {
    const upload = this.find(id)
    if (upload) return upload
    throw new MindEyeError({
      kind: 'input',
      where: 'the upload',
      expected: 'one that has begun and is not finished',
      found: `'${id}'`,
      fix: 'Drop the file again; what has arrived is not sent twice.',
    })
  }

  /** Takes the bytes from `offset` on, which must be where the file ends so far. What arrives of a broken connection is kept. */
  async append(id: string, offset: number, bytes: AsyncIterable<Uint8Array>): Promise<Upload> {
    const { size, received } = this.get(id)
    if (this.atWork.has(id) || offset !== received)
      throw new MindEyeError({
        kind: 'state',
        where: 'the upload',
        expected: this.atWork.has(id) ? 'one piece at a time' : `the bytes from ${received} on`,
        found: this.atWork.has(id) ? 'another at work' : `those from ${offset} on`,
        fix: 'Ask how far it is and go on from there.',
      })
    this.atWork.add(id)
    try {
      const file = await open(this.partOf(id), 'a')
      try {
        let at = offset
        for await (const chunk of bytes) {
          if (at + chunk.length > size)
            throw new MindEyeError({
              kind: 'input',
              where: 'the upload',
              expected: `${size} bytes, as announced`,
              found: 'more',
              fix: 'The file changed while it was read: drop it again.',
            })
          for (let done = 0; done < chunk.length;) done += (await file.write(chunk, done)).bytesWritten
          at += chunk.length
        }
        if (at === size) await file.sync()
      } finally {
        await file.close()
      }
      if (this.received(id) === size) this.finish(id)
    } finally {
      this.atWork.delete(id)
    }
    return this.get(id)
  }

  /** What the group holds at its top, absolute, once every file of it is here; throws a state error before. */
  contents(group: string): string[] {
    checkGroup(group)
    const open = this.partials().filter(([, partial]) => partial.group === group)
    const folder = join(this.folder, group)
    const names = existsSync(folder) ? readdirSync(folder) : []
    if (open.length || !names.length)
      throw new MindEyeError({
        kind: 'state',
        where: 'the upload',
        expected: 'every file of the drop',
        found: open.length ? `${open.length} not yet whole, such as ${open[0][1].parts.at(-1)}` : 'none',
        fix: 'Wait until all have arrived, or drop them again.',
      })
    return names.sort().map((name) => join(folder, name))
  }

  /** Removes a drop, whole or not. */
  discard(group: string): void {
    checkGroup(group)
    for (const [id, partial] of this.partials()) if (partial.group === group) this.removePartial(id)
    for (const [id, partial] of this.finished) if (partial.group === group) this.finished.delete(id)
    rmSync(join(this.folder, group), { recursive: true, force: true })
  }

  /** The group whose folder holds this path; undefined for files that were not uploaded. */
  groupOf(path: string): string | undefined {
    if (!path.startsWith(this.folder)) return undefined
    const [group] = path.slice(this.folder.length + 1).split(/[/\\]/)
    return group && isGroup(group) ? group : undefined
  }

  /** Removes what has waited for more bytes for a day. */
  sweep(now = Date.now()): number {
    let swept = 0
    for (const [id] of this.partials()) {
      const newest = Math.max(
        ...[this.metaOf(id), this.partOf(id)].map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0),
      )
      if (now - newest < DAY_MS || this.atWork.has(id)) continue
      this.removePartial(id)
      swept++
    }
    return swept
  }

  private plan(group: string, path: string, size: number): { id: string; partial: Partial } {
    const parts = safeParts(path)
    if (!Number.isSafeInteger(size) || size < 0)
      throw new MindEyeError({ kind: 'input', where: path, expected: 'a size in bytes', found: String(size) })
    const id = createHash('sha256')
      .update([group, size, ...parts].join('\0'))
      .digest('hex')
      .slice(0, 32)
    const there = statSync(join(this.folder, group, ...parts), { throwIfNoEntry: false })
    if (there && there.size !== size)
      throw new MindEyeError({
        kind: 'state',
        where: path,
        expected: 'a name of its own within the drop',
        found: 'another file of this name',
        fix: 'Drop the two separately.',
      })
    return { id, partial: { group, parts, size } }
  }

  private find(id: string, partial = this.partial(id)): Upload | undefined {
    if (!partial) return undefined
    const { parts, size } = partial
    const upload = { id, path: parts.join('/'), size }
    if (statSync(this.placeOf(partial), { throwIfNoEntry: false })?.isFile())
      return { ...upload, received: size, done: true }
    return existsSync(this.metaOf(id)) ? { ...upload, received: this.received(id), done: false } : undefined
  }

  /** The whole file takes its place. */
  private finish(id: string): void {
    const partial = this.partial(id)!
    const place = this.placeOf(partial)
    mkdirSync(dirname(place), { recursive: true })
    renameSync(this.partOf(id), place)
    rmSync(this.metaOf(id), { force: true })
    this.finished.set(id, partial)
  }

  private partial(id: string): Partial | undefined {
    if (!/^[0-9a-f]{32}$/.test(id)) return undefined
    const finished = this.finished.get(id)
    if (finished) return finished
    try {
      return JSON.parse(readFileSync(this.metaOf(id), 'utf8')) as Partial
    } catch {
      // There is none, or the power went as it was written: either way it begins anew.
      return undefined
    }
  }

  private partials(): [string, Partial][] {
    const folder = join(this.folder, PARTIAL)
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^[0-9a-f]{32}\.json$/.test(name)) : []
    return names.flatMap((name): [string, Partial][] => {
      const id = name.slice(0, -'.json'.length)
      const partial = this.partial(id)
      return partial ? [[id, partial]] : []
    })
  }

  private removePartial(id: string): void {
    rmSync(this.partOf(id), { force: true })
    rmSync(this.metaOf(id), { force: true })
  }

  private received(id: string): number {
    return statSync(this.partOf(id), { throwIfNoEntry: false })?.size ?? 0
  }

  private placeOf({ group, parts }: Partial): string {
    return join(this.folder, group, ...parts)
  }

  private metaOf(id: string): string {
    return join(this.folder, PARTIAL, `${id}.json`)
  }

  private partOf(id: string): string {
    return join(this.folder, PARTIAL, `${id}.part`)
  }
}

const isGroup = (group: string): boolean => /^[A-Za-z0-9][A-Za-z0-9-]{7,63}$/.test(group)

function checkGroup(group: string): void {
  if (!isGroup(group))
    throw new MindEyeError({
      kind: 'input',
      where: 'the drop',
      expected: '8 to 64 letters, digits or hyphens',
      found: JSON.stringify(group.slice(0, 80)),
    })
}

function bytesFree(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

const gigabytes = (bytes: number): string =>
  bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`
