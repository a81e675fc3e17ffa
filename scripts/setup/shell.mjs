/** Child processes, progress and clean-up. What is to be seen goes to stderr, or as messages to the app where it started us. */
import { spawn } from 'node:child_process'
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export const say = (text) => (process.send ? process.send({ say: text }) : process.stderr.write(`set-up: ${text}\n`))

const children = new Set()
const leftovers = new Set()

/** Removes `path` when the process ends before `keep` is called, however it ends (short of kill -9). */
export function removeAtExit(path) {
  leftovers.add(path)
  return { keep: () => leftovers.delete(path) }
}

function cleanUp() {
  for (const child of children) child.kill()
  for (const path of leftovers) rmSync(path, { recursive: true, force: true })
}
process.on('exit', cleanUp)
for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
])
  process.on(signal, () => process.exit(128 + number))

/** A folder that exists while `use` runs and never longer. */
export async function withTemporary(parent, use) {
  const dir = mkdtempSync(join(parent, 'tmp-'))
  const { keep } = removeAtExit(dir)
  try {
    return await use(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
    keep()
  }
}

/**
 * Runs a program to its end and returns what it printed on stdout.
 * @param {{ cwd?: string, env?: object, show?: boolean, timeout?: number, onText?: (text: string) => void }} [options]
 *   `show` passes all output on to stderr; `timeout` in ms.
 * @throws when it cannot start, ends with another code than 0, or by a signal; the message holds the last lines it printed
 */
export function run(command, args, { cwd, env, show, timeout, onText } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      timeout,
      stdio: ['ignore', show ? 2 : 'pipe', show ? 2 : 'pipe'],
    })
    children.add(child)
    let out = ''
    let all = ''
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      out += text
      all += text
      onText?.(text)
    })
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      all += text
    })
    child.on('error', (error) => {
      children.delete(child)
      reject(error)
    })
    child.on('close', (code, signal) => {
      children.delete(child)
      if (code === 0) return resolve(out)
      const name = [command, ...args].slice(0, 4).join(' ')
      reject(new Error(`${name} … ended with ${signal ?? `code ${code}`}\n${lastLines(all)}`.trim()))
    })
  })
}

const lastLines = (text) => text.trim().split('\n').slice(-6).join('\n')

/** Bytes of all files below `dir`; files that vanish meanwhile count nothing. */
function folderSize(dir) {
  let size = 0
  try {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name)
      if (entry.isDirectory()) size += folderSize(path)
      else
        try {
          size += lstatSync(path).size
        } catch {
          // moved or removed between listing and looking
        }
    }
  } catch {
    // likewise
  }
  return size
}

const mega = (bytes) => Math.round(bytes / 1e6)

/**
 * Shows how far a download into `dir` has come: one line that is rewritten on a terminal, a line every 5 s elsewhere, a message
 * twice a second to the app.
 * @param {() => string} label
 * @param {() => number} total bytes expected, 0 while unknown
 */
export function showProgress(label, dir, total) {
  const terminal = process.stderr.isTTY
  const before = folderSize(dir)
  const draw = () => {
    const all = total()
    const size = Math.min(Math.max(folderSize(dir) - before, 0), all || Infinity) // pip holds files twice while it moves them
    if (process.send) return process.send({ phase: label(), done: size, total: all })
    const percent = all ? ` of ${mega(all)} MB (${Math.floor((100 * size) / all)} %)` : ' MB'
    const line = `set-up: ${label()}: ${mega(size)}${percent}`
    process.stderr.write(terminal ? `\r${line}  ` : `${line}\n`)
  }
  const timer = setInterval(draw, process.send ? 500 : terminal ? 250 : 5_000)
  return {
    stop() {
      clearInterval(timer)
      draw()
      if (terminal && !process.send) process.stderr.write('\n')
    },
  }
}
