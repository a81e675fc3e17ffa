import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Builds the page once for all browser tests; `MINDEYE_PAGE=built` takes it as it is. */
export default function setup(): void {
  if (process.env.MINDEYE_PAGE === 'built') return
  const root = join(import.meta.dirname, '..', '..')
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  execFileSync(process.execPath, [vite, 'build', '--logLevel', 'warn'], { cwd: root, stdio: 'inherit' })
}
