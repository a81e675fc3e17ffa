/**
 * `npm start`: opens the workstation in a window of its own (Electron) or, where that cannot be, on 127.0.0.1 in a browser, and
 * says which and why. stdout carries the address only.
 */
import { Console } from 'node:console'
import { join, resolve } from 'node:path'
import { toMindEyeError } from '../src-main/base/failure.ts'
import { defaultWorkspace } from '../src-main/hosts/places.ts'
import { readArguments, serve, serveOptions, serveUsage } from '../src-main/hosts/serveCommand.ts'
import { cacheDir } from './setup/stamp.mjs'
import { browserFor, openBrowser, thisMachine, whyNoDisplay } from './start/browser.ts'
import { buildIfNeeded } from './start/build.ts'
import { findElectron, runElectron } from './start/electron.ts'

globalThis.console = new Console(process.stderr)
const say = (line: string) => void process.stderr.write(`${line}\n`)

const usage = `${serveUsage}
  --browser       in a browser, even if Electron is there
  --electron      try to fetch Electron again, although that failed lately`
const options = { ...serveOptions, browser: { type: 'boolean' }, electron: { type: 'boolean' } } as const

try {
  await main()
} catch (error) {
  say(toMindEyeError(error).message)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const values = readArguments(options, usage)
  if (values.help) return say(`Usage: npm start -- [options]\n${usage}`)
  const noDisplay = whyNoDisplay(thisMachine)
  if (!noDisplay && !values.browser) {
    const found = await findElectron(values.electron ?? false)
    if ('path' in found) {
      await buildIfNeeded(true)
      say('opening MindEye in its own window (Electron)')
      const failure = await runElectron(found.path, resolve(values.workspace ?? defaultWorkspace()))
      if (!failure) return
      say(`${failure}; a browser shows it instead`)
    } else say(`${found.reason}; a browser shows MindEye instead`)
  }
  await buildIfNeeded(false)
  const host = await serve(values, say)
  if (noDisplay) return say(`no window, because ${noDisplay}: open the address above in a browser, through the tunnel`)
  const browser = browserFor(host.addressForOnce(), join(cacheDir(), 'browser'))
  const failure = browser ? await openBrowser(browser) : 'no browser was found'
  say(failure ? `${failure}; open the address above in one` : `opened in ${browser!.name}; Ctrl-C here ends MindEye`)
}
