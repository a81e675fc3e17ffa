import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { extractFile, getRawHeader } from '@electron/asar'
import { FuseV1Options, getCurrentFuseWire } from '@electron/fuses'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import config from '../../electron-builder.config.mjs'
import type { EngineMethods, ReaderMethods } from '../../src-main/actions/methods.ts'
import { layoutOf } from '../../src-main/base/layout.ts'
import { openChannel } from '../../src-main/engine/channel.ts'
import { pack, type Package, skipReason } from './pack.ts'

const dir = mkdtempSync(join(tmpdir(), 'package-test-'))
afterAll(() => rmSync(dir, { recursive: true }), 120_000)
if (skipReason) console.warn(`packing is not tested: ${skipReason}`)

interface Entry {
  files?: Record<string, Entry>
  unpacked?: boolean
  link?: string
}

/** The files of the archive's header with whether each lies beside it. */
function listFiles(entry: Entry, path = ''): { path: string; unpacked: boolean }[] {
  if (!entry.files) return [{ path: path.slice(1), unpacked: entry.unpacked === true }]
  return Object.entries(entry.files).flatMap(([name, child]) => listFiles(child, `${path}/${name}`))
}

describe.skipIf(skipReason)('a package', () => {
  let made: Package
  let files: { path: string; unpacked: boolean }[]
  let unpacked: string
  beforeAll(async () => {
    made = await pack(dir)
    unpacked = join(made.resources, 'app.asar.unpacked')
    files = listFiles(getRawHeader(join(made.resources, 'app.asar')).header as Entry)
  }, 300_000)

  it('keeps in its archive only what Electron itself reads', () => {
    const packed = files.filter((file) => !file.unpacked).map((file) => file.path)
    expect(packed.sort()).toEqual(['out/preload/preload.cjs', 'package.json'])
    const { main } = JSON.parse(extractFile(join(made.resources, 'app.asar'), 'package.json').toString()) as {
      main: string
    }
    expect(files).toContainEqual({ path: main, unpacked: true })
  })

  it('has every unpacked file on disk, and no link that leads elsewhere', () => {
    for (const { path } of files.filter((file) => file.unpacked))
      expect(existsSync(join(unpacked, path)), path).toBe(true)
    for (const entry of readdirSync(made.resources, { recursive: true, withFileTypes: true }))
      expect(entry.isSymbolicLink(), join(entry.parentPath, entry.name)).toBe(false)
  })

  it('holds no sources, tests, tools of development or weights but the demo pack’s', () => {
    const top = new Set(files.map(({ path }) => path.split('/')[0]))
    expect([...top].sort()).toEqual(['node_modules', 'out', 'package.json', 'resources', 'scripts'])
    const packages = new Set(readdirSync(join(unpacked, 'node_modules')))
    for (const name of [
      'electron',
      'vite',
      'vue',
      'typescript',
      'vitest',
      'playwright-core',
      'node',
      'three',
      'prettier',
    ])
      expect(packages.has(name), name).toBe(false)
    for (const name of ['sharp', 'better-sqlite3', 'h5wasm', '@tensorflow', '@hono', 'commander'])
      expect(packages.has(name), name).toBe(true)
    const pack = files.map(({ path }) => path).filter((path) => path.startsWith('resources/packs/'))
    expect(pack.filter((path) => path.endsWith('.safetensors'))).toHaveLength(4)
    expect(pack).toContain('resources/packs/demo/pack.json')
    const ours = files.filter(({ path }) => !path.startsWith('node_modules/') && !pack.includes(path))
    for (const { path } of ours) expect(path).not.toMatch(/\.(ts|vue|map|safetensors|pth|pt|ckpt|bin|npy|h5)$/)
  })

  it('fits an installer', () => {
    let bytes = 0
    for (const entry of readdirSync(made.resources, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size
    expect(bytes).toBeGreaterThan(0.5e9) // TensorFlow and Node are inside
    expect(bytes).toBeLessThan(1.5e9) // Electron adds 0.3e9
  })

  it('has the fuses of a release', async () => {
    const wire = await getCurrentFuseWire(made.program)
    const [DISABLE, ENABLE] = ['0', '1'].map((digit) => digit.charCodeAt(0)) // as the program holds them
    expect(wire).toMatchObject({
      [FuseV1Options.RunAsNode]: DISABLE,
      [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: DISABLE,
      [FuseV1Options.EnableNodeCliInspectArguments]: DISABLE,
      [FuseV1Options.EnableCookieEncryption]: ENABLE,
      [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: ENABLE,
      [FuseV1Options.OnlyLoadAppFromAsar]: ENABLE,
      [FuseV1Options.GrantFileProtocolExtraPrivileges]: DISABLE,
    })
  })

  describe('without anything else of ours', () => {
    // As after an installation: another folder, nothing of the developer's environment.
    const env = () => ({ PATH: '/usr/bin:/bin', HOME: dir, MINDEYE_CACHE: join(dir, 'cache') })

    it('computes, on the Node binary that it ships', async () => {
      const electron = { execPath: made.program, versions: { electron: '45.0.0' }, platform: process.platform }
      const packed = layoutOf(`file://${made.resources}/app.asar/out/main/index.mjs`, electron)
      expect(packed.kind).toBe('package')
      const engine = openChannel<EngineMethods>({
        name: 'the packed engine',
        node: packed.nodeBinary,
        entry: packed.entry('engine'),
        env: { ...env(), NODE_PATH: '', NODE_COMPILE_CACHE: '' },
      })
      try {
        const { pid, node } = await engine.call('ping', {})
        expect(pid).toBe(engine.pid)
        expect(node).toMatch(/^v24\./)
        expect(relative(made.resources, packed.nodeBinary)).toBe('node/node')
        expect(await engine.call('backend', {})).toMatchObject({ name: 'tensorflow', slow: false })
      } finally {
        await engine.close()
      }
      const check = await promisify(execFile)(packed.nodeBinary, [packed.entry('kernelCheck')], {
        env: env(),
        cwd: dir,
      })
      expect(JSON.parse(check.stdout)).toMatchObject({ correct: true, backend: { name: 'tensorflow' } })
    })

    it('reads files that nobody has vouched for', async () => {
      const packed = layoutOf(`file://${unpacked}/out/main/engine.mjs`, process)
      const reader = openChannel<ReaderMethods>({
        name: 'the packed reader',
        node: join(made.resources, 'node', 'node'),
        entry: packed.entry('reader'),
        env: env(),
      })
      try {
        expect(await reader.call('ping', {})).toMatchObject({ pid: reader.pid })
        const junk = join(dir, 'junk.mat')
        writeFileSync(junk, 'not a MATLAB file')
        const report = reader.call('inspect', { paths: [junk], map: {} })
        await expect(report.then((result) => JSON.stringify(result))).rejects.toThrow(/junk\.mat/)
      } finally {
        await reader.close()
      }
    })

    it('has the command line, with simulation, pictures and the workspace', async () => {
      const workspace = join(dir, 'lab')
      const { stdout } = await promisify(execFile)(
        join(made.resources, 'bin', 'mindeye'),
        ['demo-subject', '--workspace', workspace, '--images', '20', '--json'],
        { env: env(), cwd: dir },
      )
      expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toBeTruthy()
      expect(readdirSync(workspace)).not.toEqual([])
    })

    it('can fetch the CUDA build, with nothing but Python’s pip', async () => {
      const offline = { ...env(), MINDEYE_TENSORFLOW: 'cuda', PIP_NO_INDEX: '1', PIP_FIND_LINKS: '' }
      const command = promisify(execFile)(join(made.resources, 'bin', 'mindeye'), ['gpu', '--json'], {
        env: offline,
        cwd: dir,
      })
      const { stdout } = await command.catch((error: unknown) => error as { stdout: string })
      const { error } = JSON.parse(stdout) as { error: { found: string; fix: string } }
      // It gets as far as the index, which there is none of here; tests/setup/cuda.test.ts goes on from there.
      expect(error.found).toMatch(/pip|No matching distribution/)
      expect(error.found).not.toContain('Cannot find module')
    })

    it('serves its page', async () => {
      const child = spawn(
        join(made.resources, 'bin', 'mindeye'),
        ['serve', '--workspace', join(dir, 'served'), '--port', '0'],
        {
          env: env(),
          cwd: dir,
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      )
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      const address = new URL(line.toString().trim())
      const headers = { Authorization: `Bearer ${address.searchParams.get('token')}` }
      const page = await fetch(new URL('/', address), { headers })
      expect(page.status).toBe(200)
      const html = await page.text()
      const script = /src="\.(\/assets\/[^"]+\.js)"/.exec(html)![1]
      expect((await fetch(new URL(script, address), { headers })).status).toBe(200)
      child.kill('SIGTERM')
      expect(((await once(child, 'close')) as [number])[0]).toBe(0)
    })
  })

  it('imports nothing at run time that it does not hold', () => {
    const folder = join(unpacked, 'out', 'main')
    const known = new Set(readdirSync(join(unpacked, 'node_modules')))
    const names = readdirSync(folder).flatMap((file) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/(?:^|\n)import\b[^'"\n]*?["']([^'"]+)["']/g)].map(
        ([, name]) => name,
      ),
    )
    expect(names.length).toBeGreaterThan(20)
    for (const name of new Set(names)) {
      if (name.startsWith('.') || name.startsWith('node:') || name === 'electron') continue
      const [scope, rest] = name.split('/')
      const holds = scope.startsWith('@') ? existsSync(join(unpacked, 'node_modules', scope, rest)) : known.has(scope)
      expect(holds, name).toBe(true)
    }
  })
})

it('only the flavour for tests can be driven by Playwright', async () => {
  expect(config.electronFuses).toMatchObject({ enableNodeCliInspectArguments: false, runAsNode: false })
  vi.stubEnv('MINDEYE_PACKAGE', 'test')
  vi.resetModules()
  const { default: forTests } = await import('../../electron-builder.config.mjs')
  vi.unstubAllEnvs()
  expect(forTests.electronFuses).toEqual({ ...config.electronFuses, enableNodeCliInspectArguments: true })
})

it('an installer above 1.8 GB is refused', () => {
  const file = join(dir, 'setup.exe')
  writeFileSync(file, '')
  truncateSync(file, 1.9e9) // sparse: takes no disk
  expect(() => config.afterAllArtifactBuild({ artifactPaths: [file] })).toThrow(
    /expected at most 1.8 GB, found 1.90 GB/,
  )
  truncateSync(file, 1.7e9)
  expect(() => config.afterAllArtifactBuild({ artifactPaths: [file] })).not.toThrow()
})
