/** Builds the page, and for Electron the main process too, when a source is newer than what was built. */
import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { layout } from '../../src-main/base/layout.ts'

const root = layout.root
const page = { sources: ['src-renderer', 'vite.config.ts', 'package-lock.json'], built: 'out/renderer/index.html' }
const main = { sources: ['src-main', 'electron.vite.config.ts'], built: 'out/main/index.mjs' }

/** @param all also what runs under Electron */
export async function buildIfNeeded(all: boolean): Promise<void> {
  const isPageOld = isOutOfDate(page.sources, page.built)
  if (all && (isPageOld || isOutOfDate(main.sources, main.built))) await runTool('electron-vite', 'build')
  else if (isPageOld) await runTool('vite', 'build', '--logLevel', 'warn')
}

/** Paths relative to `folder`. */
export function isOutOfDate(sources: string[], built: string, folder: string = root): boolean {
  const time = statSync(join(folder, built), { throwIfNoEntry: false })?.mtimeMs
  return time === undefined || sources.some((source) => newest(join(folder, source)) > time)
}

/** When the youngest file below the path was written; folders count too, since a removed file changes only them. */
function newest(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

async function runTool(name: string, ...args: string[]): Promise<void> {
  process.stderr.write('building the page (some seconds)\n')
  const script = join(root, 'node_modules', name, 'bin', `${name}.js`)
  // stdout is for the address alone.
  const child = spawn(process.execPath, [script, ...args], { cwd: root, stdio: ['ignore', 2, 2] })
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  if (code !== 0) throw new Error(`${name} ${args[0]} ended with ${String(code)}; see above`)
}
