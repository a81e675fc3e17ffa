import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, Platform } from 'electron-builder'
import config from '../../electron-builder.config.mjs'
import { layout } from '../../src-main/base/layout.ts'

const library = join(layout.root, 'node_modules', '@tensorflow', 'tfjs-node-gpu', 'deps')

/** Why nothing can be packed here; undefined where it can. */
export const skipReason =
  process.platform !== 'linux'
    ? 'written for Linux'
    : !existsSync(join(library, 'lib'))
      ? 'TensorFlow is not staged'
      : existsSync(join(library, 'nvidia'))
        ? 'the CUDA build is staged, which packages do not carry'
        : undefined

export interface Package {
  /** Electron's program, here a stand-in. */
  program: string
  resources: string
}

/**
 * Builds the app and packs it as for release, but around a stand-in for Electron's program, into `folder`. What is built lies
 * there, too, since other tests serve out/ meanwhile.
 */
export async function pack(folder: string): Promise<Package> {
  const [project, sources] = [join(folder, 'project'), join(folder, 'sources')]
  copy(sources, ['src-main', 'src-renderer', 'resources', 'package.json', 'tsconfig.json'])
  copy(sources, ['scripts/setup', 'vite.config.ts', 'electron.vite.config.ts'])
  symlinkSync(join(layout.root, 'node_modules'), join(sources, 'node_modules'))
  const tool = join(layout.root, 'node_modules', 'electron-vite', 'bin', 'electron-vite.js')
  execFileSync(process.execPath, [tool, 'build', '--logLevel', 'warn'], { cwd: sources, stdio: 'inherit' })

  copy(project, ['resources', 'package.json', 'package-lock.json', 'scripts/setup', ...neededPackages()])
  renameSync(join(sources, 'out'), join(project, 'out'))
  await build({
    projectDir: project,
    targets: Platform.LINUX.createTarget('dir'),
    config: {
      ...config,
      directories: { ...config.directories, output: join(folder, 'dist') },
      electronDist: standIn(join(folder, 'electron')),
      electronVersion: '45.0.0',
    },
  })
  const unpacked = join(folder, 'dist', 'linux-unpacked')
  return { program: join(unpacked, 'mindeye-workstation'), resources: join(unpacked, 'resources') }
}

/** Copies paths of this checkout that are there. */
function copy(to: string, paths: string[]): void {
  for (const path of paths.filter((path) => existsSync(join(layout.root, path))))
    cpSync(join(layout.root, path), join(to, path), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (file) => !file.endsWith('.map'), // packages leave them out, and they are a third of it
    })
}

/** What the app needs when it runs, by the lock file, and Node; packages inside others come with those. */
function neededPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(layout.root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>
  }
  const needed = Object.keys(packages).filter((path) => path !== '' && packages[path].dev !== true)
  return [...needed, 'node_modules/node']
}

/** A folder like Electron's, whose program holds nothing but the fuses, all as Electron ships them. */
function standIn(folder: string): string {
  mkdirSync(join(folder, 'locales'), { recursive: true })
  for (const name of ['LICENSE', 'LICENSES.chromium.html', 'version', 'locales/en-US.pak'])
    writeFileSync(join(folder, name), '')
  const sentinel = 'dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX'
  const asShipped = '101100010' // before it: version and number of fuses
  writeFileSync(
    join(folder, 'electron'),
    `#!/bin/sh\n\0${sentinel}\x01${String.fromCharCode(asShipped.length)}${asShipped}\0`,
    {
      mode: 0o755,
    },
  )
  return folder
}
