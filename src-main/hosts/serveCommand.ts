/** The Node host as a command: what `npm run serve` takes, and what `npm start` falls back to. */
import { statSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { MindEyeError } from '../base/errors.ts'
import { layout } from '../base/layout.ts'
import { type NodeHost, startNodeHost } from './nodeServer.ts'
import { defaultPort, defaultWorkspace } from './places.ts'

export interface ServeValues {
  workspace?: string
  port?: string
  allow?: string[]
}

export const serveOptions = {
  workspace: { type: 'string' },
  port: { type: 'string' },
  allow: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
} satisfies ParseArgsOptionsConfig

export const serveUsage = `  --workspace W   folder of the workspace, made when missing (default ${defaultWorkspace()})
  --port P        port on 127.0.0.1, 0 for any free one (default ${defaultPort}, or a free one)
  --allow DIR     a folder whose files the page may browse and import; may be repeated`

/** `parseArgs`, with a `MindEyeError` for what it refuses. */
export function readArguments<T extends ParseArgsOptionsConfig>(
  options: T,
  usage: string,
  args = process.argv.slice(2),
) {
  try {
    return parseArgs({ options, args }).values
  } catch (error) {
    const found = (error as Error).message.split('\n')[0].replace(/[. ]+$/, '')
    const fix = `These are known:\n${usage}`
    throw new MindEyeError({ kind: 'input', where: 'the command line', expected: 'known options', found, fix })
  }
}

/** Starts the host, prints its address alone on stdout, and ends it when a signal asks. */
export async function serve(values: ServeValues, log: (line: string) => void): Promise<NodeHost> {
  const workspacePath = resolve(values.workspace ?? defaultWorkspace())
  const start = (port: number) =>
    startNodeHost({ workspacePath, renderer: layout.renderer, allow: folders(values.allow ?? []), log, port })
  const host = values.port === undefined ? await startAnywhere(start) : await start(portNumber(values.port))

  let closing = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (closing) process.exit(1) // child processes notice and end as well
      closing = true
      log('stopping (once more to stop at once) …')
      void host.close().then(() => process.exit(0))
    })
  log(`workspace: ${workspacePath}`)
  log(`from another machine: ssh -N -L ${host.port}:127.0.0.1:${host.port} ${userInfo().username}@${hostname()}`)
  process.stdout.write(`${host.address}\n`)
  return host
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

function portNumber(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65535) return port
  throw new MindEyeError({ kind: 'input', where: '--port', expected: 'a number from 0 to 65535', found: `'${text}'` })
}

function folders(paths: string[]): string[] {
  return paths.map((path) => {
    const folder = resolve(path)
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder
    throw new MindEyeError({ kind: 'input', where: '--allow', expected: 'a folder', found: `none at ${folder}` })
  })
}
