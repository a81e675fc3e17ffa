import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Processes of ours that run on plain Node: the entry of each. */
const entrySources = {
  cli: 'hosts/cli.ts',
  node: 'hosts/node.ts',
  engine: 'hosts/engine.ts',
  reader: 'hosts/reader.ts',
  kernelCheck: 'engine/kernelCheck.ts',
} as const
export type Entry = keyof typeof entrySources

export interface Layout {
  /** `source`: TypeScript as it is; `bundle`: out/main of a checkout; `package`: installed on a user's machine. */
  readonly kind: 'source' | 'bundle' | 'package'
  /** The checkout, or the folder that holds out/ and node_modules/ in a package. */
  readonly root: string
  /** The Node binary of child processes: the one that the app ships, since Electron is none. */
  readonly nodeBinary: string
  /** The built page. */
  readonly renderer: string
  /** Absolute path of a child process' entry. */
  entry(name: Entry): string
  /** Absolute path of a file that ships with the app, e.g. `world/icons.json`. */
  resource(path: string): string
}

/** What `layoutOf` asks of a process. */
interface Runtime {
  execPath: string
  versions: Readonly<Partial<Record<string, string>>>
  platform: string
}

/**
 * Where the parts of the program lie, told by the place of this very module: src-main/base/layout.ts, or a bundle in out/main.
 * In a package everything that a child needs is beside the archive in `app.asar.unpacked`, because plain Node cannot look
 * into the archive.
 */
export function layoutOf(moduleUrl: string, { execPath, versions, platform }: Runtime): Layout {
  const file = fileURLToPath(moduleUrl)
  const isSource = file.endsWith('.ts')
  const folder = isSource ? dirname(dirname(file)) : dirname(file) // src-main, or out/main
  const packed = `${sep}app.asar${sep}`
  const unpacked = `${sep}app.asar.unpacked${sep}`
  const isPackage = folder.includes(packed) || folder.includes(unpacked)
  const children = folder.replace(packed, unpacked)
  const root = dirname(isSource ? children : dirname(children))
  const name = platform === 'win32' ? 'node.exe' : 'node'
  const shipped = isPackage ? join(dirname(root), 'node', name) : join(root, 'node_modules', 'node', 'bin', name)
  return {
    kind: isSource ? 'source' : isPackage ? 'package' : 'bundle',
    root,
    nodeBinary: versions.electron ? shipped : execPath,
    renderer: join(root, 'out', 'renderer'),
    entry: (name) => (isSource ? join(folder, entrySources[name]) : join(children, `${name}.mjs`)),
    resource: (path) => join(root, 'resources', path),
  }
}

/** The layout of this process. */
export const layout = layoutOf(import.meta.url, process)
