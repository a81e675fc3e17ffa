/** Entry of `npm run serve`: the app on 127.0.0.1. Its address, with token, is the only line on stdout. */
import { Console } from 'node:console'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { MindEyeError } from '../base/errors.ts'
import { toMindEyeError } from '../base/failure.ts'
import { layout } from '../base/layout.ts'
import { startNodeHost } from './nodeServer.ts'
import { defaultPort, defaultWorkspace } from './places.ts'

globalThis.console = new Console(process.stderr)
const log = (line: string) => void process.stderr.write(`${line}\n`)

const usage = `Usage: npm run serve -- [--workspace W] [--port P] [--allow DIR ...]
  --workspace W   folder of the workspace, made when missing (default ${defaultWorkspace()})
  --port P        port on 127.0.0.1, 0 for any free one (default ${defaultPort}, or a free one)
  --allow DIR     a folder whose files the page may browse and import; may be repeated`

try {
  await main()
} catch (error) {
  log(toMindEyeError(error).message)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { values } = readArguments()
  if (values.help) return log(usage)
  const workspacePath = resolve(values.workspace ?? defaultWorkspace())
  const start = (port: number) =>
    startNodeHost({ workspacePath, renderer: layout.renderer, allow: allowed(values.allow ?? []), log, port })
  const host = values.port === undefined ? await startAnywhere(start) : await start(portNumber(values.port))

  let closing = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (closing) process.exit(1) // child processes notice and end as well
      closing = true
      log('stopping (once more to stop at once) …')
      void host.close().then(() => process.exit(0))
    })
  log(`workspace ${workspacePath}`)
  process.stdout.write(`${host.address}\n`)
}

/** The usual port, so that the browser finds its settings again; when it is taken, any other. */
async function startAnywhere<T>(start: (port: number) => Promise<T>): Promise<T> {
  try {
    return await start(defaultPort)
  } catch (error) {
    if (error instanceof MindEyeError && error.parts.where === '--port') return start(0)
    throw error
  }
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        workspace: { type: 'string' },
        port: { type: 'string' },
        allow: { type: 'string', multiple: true },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    const found = (error as Error).message.split('\n')[0].replace(/[. ]+$/, '')
    throw new MindEyeError({ kind: 'input', where: 'the command line', expected: 'known options', found, fix: usage })
  }
}

function portNumber(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65535) return port
  throw new MindEyeError({ kind: 'input', where: '--port', expected: 'a number from 0 to 65535', found: `'${text}'` })
}

function allowed(folders: string[]): string[] {
  return folders.map((folder) => {
    const path = resolve(folder)
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path
    throw new MindEyeError({ kind: 'input', where: '--allow', expected: 'a folder', found: `none at ${path}` })
  })
}
