import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '..', '..', 'node_modules', 'electron')

/** Electron's program, where `npm start` has fetched it. */
export function electronProgram(): string | undefined {
  try {
    const path = join(folder, 'dist', readFileSync(join(folder, 'path.txt'), 'utf8'))
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}

/** Why the browser tests do not run in Electron's window here; undefined where they do. */
export function whyNotElectron(): string | undefined {
  if (!electronProgram()) return 'its program is not here (`npm start` on a desktop fetches it)'
  if (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY)
    return 'there is no display (xvfb-run gives one)'
  return undefined
}
