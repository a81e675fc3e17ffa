import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Builds main process, preload script and page once for all tests in Electron's window. */
export default function setup(): void {
  const root = join(import.meta.dirname, '..', '..')
  const tool = join(root, 'node_modules', 'electron-vite', 'bin', 'electron-vite.js')
  execFileSync(process.execPath, [tool, 'build', '--logLevel', 'warn'], { cwd: root, stdio: 'inherit' })
}
