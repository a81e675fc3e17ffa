/** One set-up at a time: a folder as lock (mkdir is atomic everywhere), whose owner shows by touching it that it lives. */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { removeAtExit, say } from './shell.mjs'

const BEAT_MS = 3_000
/** Without a sign of life for so long the owner is dead, wherever it ran. */
const STALE_MS = 60_000

export async function withLock(dir, what, use) {
  await acquire(dir, what)
  const { keep } = removeAtExit(dir)
  const beat = setInterval(() => touch(dir), BEAT_MS)
  try {
    return await use()
  } finally {
    clearInterval(beat)
    keep()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function acquire(dir, what) {
  for (let told = false; ; await sleep(300)) {
    try {
      mkdirSync(dir)
      writeFileSync(join(dir, 'owner'), `${process.pid} ${hostname()}`)
      return
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (isStale(dir)) {
      // Moved away first: of several that see the dead lock, only one can move it.
      const grave = `${dir}.dead-${process.pid}`
      try {
        renameSync(dir, grave)
        rmSync(grave, { recursive: true, force: true })
      } catch {
        // another was faster
      }
    } else if (!told) {
      say(`waiting for another set-up that ${what}`)
      told = true
    }
  }
}

function isStale(dir) {
  try {
    if (Date.now() - statSync(dir).mtimeMs > STALE_MS) return true
    const [pid, host] = readFileSync(join(dir, 'owner'), 'utf8').split(' ')
    return host === hostname() && !isAlive(Number(pid))
  } catch {
    return false // released, or its owner is just about to sign
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function touch(dir) {
  try {
    const now = new Date()
    utimesSync(dir, now, now)
  } catch {
    // taken from us after a long suspension; the renames below keep the result whole all the same
  }
}
