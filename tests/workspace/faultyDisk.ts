import * as fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { disk } from '../../src-main/base/files.ts'

/**
 * A disk that fails at its n-th call. `error`: that call alone fails (a full or broken disk); `crash`: everything fails from
 * there on (the process is gone), and afterwards `losePower` may drop what was never fsynced: contents of files, and renames
 * whose folder was not.
 */
export interface Fault {
  kind: 'error' | 'crash'
  at: number
}

const real = { ...disk }

interface PendingRename {
  from: string
  to: string
  /** A hard link to the file that the rename replaced. */
  replaced?: string
}

export class FaultyDisk {
  calls = 0
  fired = false
  private readonly root: string
  private readonly old = new Set<number>()
  private readonly synced = new Map<number, number>()
  private readonly paths = new Map<number, string>()
  private renames: PendingRename[] = []

  constructor(root: string) {
    this.root = root
    for (const path of filesIn(root)) this.old.add(fs.statSync(path).ino)
  }

  /** Runs `act` on the failing disk; the real one is back afterwards. */
  during(fault: Fault, act: () => void): { error?: unknown } {
    const gate = () => {
      this.calls++
      const hit = fault.kind === 'error' ? this.calls === fault.at : this.calls >= fault.at
      if (hit) {
        this.fired = true
        throw Object.assign(new Error(`injected fault at call ${this.calls}`), { code: 'EIO' })
      }
    }
    const tornWrite = (fd: number, bytes: Uint8Array, offset: number, length: number) => {
      try {
        gate()
      } catch (error) {
        // The write that fails has reached the disk by half.
        if (this.calls === fault.at) real.write(fd, bytes, offset, length >> 1)
        throw error
      }
      return real.write(fd, bytes, offset, length)
    }
    Object.assign(disk, {
      open: (path: string, flags: string, mode?: number) => {
        gate()
        const fd = real.open(path, flags, mode)
        this.paths.set(fd, path)
        return fd
      },
      write: tornWrite,
      fsync: (fd: number) => {
        gate()
        real.fsync(fd)
        const stat = fs.fstatSync(fd)
        if (stat.isDirectory()) this.renames = this.renames.filter(({ to }) => dirname(to) !== this.paths.get(fd))
        else this.synced.set(stat.ino, stat.size)
      },
      rename: (from: string, to: string) => {
        gate()
        const replaced = fs.statSync(to, { throwIfNoEntry: false })?.isFile()
          ? join(this.root, `.was-${basename(to)}`)
          : undefined
        if (replaced) {
          fs.rmSync(replaced, { force: true })
          fs.linkSync(to, replaced)
        }
        real.rename(from, to)
        this.renames.push({ from, to, replaced })
      },
      mkdir: (...args: Parameters<typeof real.mkdir>) => (gate(), real.mkdir(...args)),
      remove: (...args: Parameters<typeof real.remove>) => (gate(), real.remove(...args)),
      // Closing loses nothing, but a dead process makes no calls at all; its descriptors are closed for it.
      close: (fd: number) => real.close(fd),
    })
    try {
      act()
      return {}
    } catch (error) {
      return { error }
    } finally {
      Object.assign(disk, real)
    }
  }

  /** What the machine may find after a power failure. */
  losePower(): void {
    for (const { from, to, replaced } of this.renames.reverse()) {
      if (!fs.existsSync(to)) continue
      fs.renameSync(to, from)
      if (replaced) fs.renameSync(replaced, to)
    }
    for (const path of filesIn(this.root)) {
      const { ino } = fs.statSync(path)
      if (!this.old.has(ino) && !basename(path).startsWith('index.sqlite'))
        fs.truncateSync(path, this.synced.get(ino) ?? 0)
    }
  }

  /** Removes the hard links that `losePower` did not need. */
  tidy(): void {
    for (const name of fs.readdirSync(this.root)) if (name.startsWith('.was-')) fs.rmSync(join(this.root, name))
  }
}

function filesIn(root: string): string[] {
  return fs
    .readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
