/** Whether the app can have a window of its own: Electron's binary, fetched when it is first wanted. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { layout } from '../../src-main/base/layout.ts'

const FETCH_MINUTES = 5
/** A machine that cannot reach the download is not asked to wait for it at every start. */
const RETRY_HOURS = 24
/** A window that fails does so at once: a missing library, no sandbox for this user. */
const FAILURE_MS = 10_000

export type Found = { path: string } | { reason: string }

/** @param again try to fetch it although that failed lately */
export async function findElectron(again: boolean, folder: string = join(layout.root, 'node_modules')): Promise<Found> {
  const electron = join(folder, 'electron')
  const installed = installedPath(electron)
  if (installed) return { path: installed }
  const memo = join(folder, '.mindeye-electron.json')
  const failed = again ? undefined : lastFailure(memo)
  if (failed) return { reason: `${failed} (tried in the last ${RETRY_HOURS} h; --electron tries again)` }
  process.stderr.write('fetching Electron (about 120 MB, once)\n')
  const reason = await fetchElectron(electron)
  const fetched = installedPath(electron)
  if (fetched) return { path: fetched }
  const words = `Electron could not be fetched: ${reason ?? 'its installer left no program'}`
  writeFileSync(memo, JSON.stringify({ time: Date.now(), reason: words }))
  return { reason: words }
}

function installedPath(electron: string): string | undefined {
  try {
    const folder = process.env.ELECTRON_OVERRIDE_DIST_PATH ?? join(electron, 'dist')
    const path = join(folder, readFileSync(join(electron, 'path.txt'), 'utf8'))
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}

function lastFailure(memo: string): string | undefined {
  try {
    const { time, reason } = JSON.parse(readFileSync(memo, 'utf8')) as { time: number; reason: string }
    return Date.now() - time < RETRY_HOURS * 3600e3 ? reason : undefined
  } catch {
    return undefined
  }
}

/** Runs the package's own installer, which our .npmrc keeps npm from running; returns why it failed. */
function fetchElectron(electron: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(electron, 'install.js')], {
      stdio: ['ignore', 2, 'pipe'],
      timeout: FETCH_MINUTES * 60_000,
    })
    let words = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (words += text))
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(undefined)
      if (signal) return resolve(`it took longer than ${FETCH_MINUTES} minutes`)
      resolve(words.split('\n').find((line) => /^\w*Error\b/.test(line)) ?? `its installer ended with code ${code}`)
    })
  })
}

/** Opens the window and waits for its end. Returns why there was none when it failed at once. */
export function runElectron(path: string, workspace: string): Promise<string | undefined> {
  const began = Date.now()
  const { ELECTRON_RUN_AS_NODE: _, ...env } = process.env
  const child = spawn(path, [layout.root, '--workspace', workspace], { stdio: ['ignore', 2, 'pipe'], env })
  let words = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    process.stderr.write(text)
    if (Date.now() - began < FAILURE_MS) words += text
  })
  // A terminal's Ctrl-C reaches the window by itself; it ends tidily, and we with it.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => {
      const hasFailed = code !== 0 && Date.now() - began < FAILURE_MS
      const last = words.trim().split('\n').at(-1)
      resolve(hasFailed ? `Electron did not start (${signal ?? `code ${code}`}): ${last}` : undefined)
    })
  })
}
