import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'

/** Of a workspace, in `settings.json`: what computes for it. */
export interface Settings {
  /** `auto`, `cpu`, or the number of a graphics card. */
  device: string
  /** Threads inside one operation; 0 leaves it to TensorFlow. */
  threads: number
}

const defaults: Settings = { device: 'auto', threads: 0 }

/** The settings of the workspace at `root`; a file that is damaged counts as none. */
export function readSettings(root: string): Settings {
  const path = join(root, 'settings.json')
  if (!existsSync(path)) return defaults
  try {
    const { device, threads } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Settings>
    return {
      device: typeof device === 'string' ? device : defaults.device,
      threads: typeof threads === 'number' ? threads : defaults.threads,
    }
  } catch {
    return defaults
  }
}

export function writeSettings(root: string, settings: Settings): void {
  writeFileAtomic(join(root, 'settings.json'), `${JSON.stringify(settings)}\n`)
}
