import * as fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ownerState, thisProcess, type Owner } from './owner.ts'

/**
 * Files and folders that are either the old ones or the new ones, whenever the process or the power goes: write under a
 * temporary name in the same folder, fsync, rename, fsync the folder. Temporary names tell their owner, so that whoever comes
 * next can sweep away what a dead process left.
 */

/** The calls that change the disk, in one object so that a test can let the n-th one fail. */
export const disk = {
  open: fs.openSync,
  write: fs.writeSync,
  fsync: fs.fsyncSync,
  close: fs.closeSync,
  rename: fs.renameSync,
  mkdir: fs.mkdirSync,
  remove: fs.rmSync,
}

export interface AtomicFile {
  write(chunk: Uint8Array | string): void
  /** Makes everything written durable under the final name; throws (and leaves the old file) when the disk refuses. */
  commit(): void
  /** Forgets what was written. */
  discard(): void
}

/** Opens a file that appears under `path` only at `commit()`; until then the old one, if any, stays. */
export function openAtomic(path: string): AtomicFile {
  const temporary = temporaryName(path)
  let fd: number | undefined = disk.open(temporary, 'wx', 0o644)
  const close = () => {
    if (fd !== undefined) disk.close(fd)
    fd = undefined
  }
  const file: AtomicFile = {
    write(chunk) {
      if (fd === undefined) throw new Error(`${path} is closed`)
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      for (let at = 0; at < bytes.length;) at += disk.write(fd, bytes, at, bytes.length - at)
    },
    commit() {
      try {
        if (fd === undefined) throw new Error(`${path} is closed`)
        disk.fsync(fd)
        close()
        disk.rename(temporary, path)
        syncFolder(dirname(path))
      } catch (error) {
        file.discard()
        throw error
      }
    },
    discard() {
      attempt(close)
      attempt(() => disk.remove(temporary, { force: true }))
    },
  }
  return file
}

/** Writes a whole file atomically and durably. */
export function writeFileAtomic(path: string, content: Uint8Array | string): void {
  const file = openAtomic(path)
  try {
    file.write(content)
  } catch (error) {
    file.discard()
    throw error
  }
  file.commit()
}

export interface StagedFolder {
  /** Write here. */
  readonly folder: string
  /** Gives the folder its final name, durably. Throws when the name is taken. */
  commit(): void
  /** Removes everything staged; a no-op after a commit. */
  discard(): void
}

/** A folder that appears under `path`, complete, only at `commit()`. */
export function stageFolder(path: string): StagedFolder {
  const temporary = temporaryName(path)
  disk.mkdir(temporary, { recursive: true })
  let open = true
  const staged: StagedFolder = {
    folder: temporary,
    commit() {
      try {
        // A rename would silently take the place of an empty folder.
        if (fs.existsSync(path)) throw Object.assign(new Error(`${path} exists already`), { code: 'EEXIST' })
        syncTree(temporary)
        disk.rename(temporary, path)
        open = false
        syncFolder(dirname(path))
      } catch (error) {
        staged.discard()
        throw error
      }
    },
    discard() {
      if (open) attempt(() => disk.remove(temporary, { recursive: true, force: true }))
      open = false
    },
  }
  return staged
}

/** Makes missing folders inside `parent`, durably. */
export function makeFolders(parent: string, names: readonly string[]): void {
  const missing = names.filter((name) => !fs.existsSync(join(parent, name)))
  for (const name of missing) disk.mkdir(join(parent, name), { recursive: true })
  if (missing.length) syncFolder(parent)
}

/** Removes a folder so that no half-removed one can be seen under its name. */
export function removeFolder(path: string): void {
  const temporary = temporaryName(path)
  disk.rename(path, temporary)
  syncFolder(dirname(path))
  // What a failure leaves here has a temporary name, so the next sweep takes it.
  attempt(() => disk.remove(temporary, { recursive: true, force: true }))
}

/** Removes what dead processes left under temporary names directly inside `folder`; returns how many items. */
export function sweepTemporary(folder: string): number {
  let swept = 0
  for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
    const owner = ownerOfTemporary(name)
    if (!owner || ownerState(owner) === 'alive') continue
    const path = join(folder, name)
    if (ownerState(owner) === 'unknown' && !isOlderThanDays(path, 7)) continue
    attempt(() => disk.remove(path, { recursive: true, force: true }))
    swept++
  }
  return swept
}

/** Whether a directory entry is one of ours under construction (or in removal) and must not be listed. */
export function isTemporary(name: string): boolean {
  return ownerOfTemporary(name) !== undefined
}

let counter = 0

/** `.NAME.tmp~HOST~PID~START~COUNT` in the same folder, where a rename is atomic. */
function temporaryName(path: string): string {
  const { host, pid, started } = thisProcess()
  const owner = [host, pid, started, (counter++).toString(36)].map((part) => encodeURIComponent(part)).join('~')
  return join(dirname(path), `.${basename(path)}.tmp~${owner}`)
}

function ownerOfTemporary(name: string): Owner | undefined {
  const match = /^\..+\.tmp~([^~]*)~(\d+)~([^~]*)~[0-9a-z]+$/.exec(name)
  if (!match) return undefined
  return { host: decodeURIComponent(match[1]), pid: Number(match[2]), started: decodeURIComponent(match[3]) }
}

function syncTree(folder: string): void {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) syncTree(path)
    else if (entry.isFile()) syncPath(path, 'r+')
  }
  syncFolder(folder)
}

/** Windows cannot fsync a folder, and its renames are journalled without. */
function syncFolder(folder: string): void {
  if (process.platform !== 'win32') syncPath(folder, 'r')
}

function syncPath(path: string, flags: string): void {
  const fd = disk.open(path, flags)
  try {
    disk.fsync(fd)
  } finally {
    disk.close(fd)
  }
}

function isOlderThanDays(path: string, days: number): boolean {
  const stat = fs.statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && Date.now() - stat.mtimeMs > days * 86_400_000
}

/** For clean-up after a failure: the first error is the one to tell. */
function attempt(act: () => void): void {
  try {
    act()
  } catch {
    // The next sweep tries again.
  }
}
