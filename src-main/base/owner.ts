import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/** Who holds a job, a run or a temporary file: a pid alone is reused by the system, with its start time it is unique. */
export interface Owner {
  host: string
  pid: number
  /** Opaque start time; equal strings mean the same process. Empty where the system does not tell. */
  started: string
}

let self: Owner | undefined

export function thisProcess(): Owner {
  self ??= { host: hostname(), pid: process.pid, started: startOf(process.pid) }
  return self
}

/** Whether the owner still runs; `unknown` for a process on another machine that shares the disk. */
export function ownerState(owner: Owner): 'alive' | 'dead' | 'unknown' {
  if (owner.host !== hostname()) return 'unknown'
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    // EPERM: it runs, but for another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return 'dead'
  }
  return startOf(owner.pid) === owner.started ? 'alive' : 'dead'
}

/** Linux: boot id and clock ticks since boot (a zombie counts as ended); elsewhere the start date that `ps` prints. */
function startOf(pid: number): string {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      // The command name (field 2) may hold spaces and brackets, so count from behind its closing one.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (fields[0] === 'Z') return 'ended'
      return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)}:${fields[19]}`
    } catch {
      return 'ended'
    }
  }
  if (process.platform === 'win32') return ''
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  } catch {
    return 'ended'
  }
}
