import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { browserFor, type Machine, openBrowser, whyNoDisplay } from '../../scripts/start/browser.ts'
import { isOutOfDate } from '../../scripts/start/build.ts'
import { findElectron, runElectron } from '../../scripts/start/electron.ts'

const dir = mkdtempSync(join(tmpdir(), 'start-test-'))
afterAll(() => rmSync(dir, { recursive: true }))
vi.spyOn(process.stderr, 'write').mockReturnValue(true)

const machine = (platform: string, files: string[], env: Record<string, string> = {}, isRoot = false): Machine => ({
  platform,
  env: { PATH: '/usr/local/bin:/usr/bin', ...env },
  isRoot,
  canRun: (path) => files.includes(path),
})
const address = 'http://127.0.0.1:47310/?token=x'
const open = (where: Machine) => browserFor(address, '/cache/browser', where)

describe('a browser', () => {
  it('of the Chromium family gets a window without tabs and a profile of its own', () => {
    expect(open(machine('linux', ['/usr/bin/chromium', '/usr/bin/xdg-open']))).toEqual({
      name: '/usr/bin/chromium, in a window of its own',
      command: '/usr/bin/chromium',
      args: [`--app=${address}`, '--no-first-run', '--no-default-browser-check', '--user-data-dir=/cache/browser'],
    })
    const mac = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
    expect(open(machine('darwin', [mac]))?.command).toBe(mac)
    const edge = 'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe'
    expect(open(machine('win32', [edge], { 'PROGRAMFILES(X86)': 'C:\\Program Files (x86)' }))?.command).toBe(edge)
  })

  it('is the default one elsewhere, or none', () => {
    expect(open(machine('linux', ['/usr/bin/xdg-open']))).toMatchObject({
      command: '/usr/bin/xdg-open',
      args: [address],
    })
    expect(open(machine('darwin', []))?.command).toBe('open')
    expect(open(machine('win32', []))?.args.at(-1)).toBe(address)
    expect(open(machine('linux', []))).toBeUndefined()
  })

  it('that does not start is told', async () => {
    const missing = { name: 'none', command: join(dir, 'no-browser'), args: [] }
    expect(await openBrowser(missing)).toContain('ENOENT')
    expect(await openBrowser({ name: 'true', command: 'true', args: [] })).toBeUndefined()
  })
})

it('no window is tried where none can be', () => {
  expect(whyNoDisplay(machine('linux', []))).toContain('no display')
  expect(whyNoDisplay(machine('linux', [], { DISPLAY: ':0' }))).toBeUndefined()
  expect(whyNoDisplay(machine('linux', [], { WAYLAND_DISPLAY: 'wayland-0' }))).toBeUndefined()
  expect(whyNoDisplay(machine('linux', [], { DISPLAY: ':0' }, true))).toContain('root')
  expect(whyNoDisplay(machine('darwin', [], { SSH_CONNECTION: 'x' }))).toContain('remote')
  expect(whyNoDisplay(machine('win32', []))).toBeUndefined()
})

it('the page is built when a source is younger, or gone', () => {
  const at = (path: string, seconds: number) => utimesSync(join(dir, path), seconds, seconds)
  mkdirSync(join(dir, 'src', 'deep'), { recursive: true })
  writeFileSync(join(dir, 'src', 'deep', 'a.ts'), '')
  writeFileSync(join(dir, 'built.html'), '')
  at('src/deep/a.ts', 1000)
  at('src/deep', 1000)
  at('src', 1000)
  at('built.html', 2000)
  expect(isOutOfDate(['src'], 'built.html', dir)).toBe(false)
  expect(isOutOfDate(['src'], 'none.html', dir)).toBe(true)
  at('src/deep/a.ts', 3000)
  expect(isOutOfDate(['src'], 'built.html', dir)).toBe(true)
  at('src/deep/a.ts', 1000)
  at('src/deep', 3000) // what a removed file leaves behind
  expect(isOutOfDate(['src'], 'built.html', dir)).toBe(true)
})

describe('Electron', () => {
  /** A stand-in for the package, whose installer does what it is told. */
  function fakePackage(name: string, installer: string): string {
    const electron = join(dir, name, 'electron')
    mkdirSync(join(electron, 'dist'), { recursive: true })
    writeFileSync(join(electron, 'install.js'), installer)
    writeFileSync(join(electron, 'package.json'), '{"type":"commonjs"}')
    return join(dir, name)
  }
  const counts = `require('fs').appendFileSync(__dirname + '/runs', '.');`

  it('is fetched once', async () => {
    const modules = fakePackage(
      'good',
      `${counts} const fs = require('fs'); fs.writeFileSync(__dirname + '/dist/electron', ''); fs.writeFileSync(__dirname + '/path.txt', 'electron')`,
    )
    const path = join(modules, 'electron', 'dist', 'electron')
    expect(await findElectron(false, modules)).toEqual({ path })
    expect(await findElectron(false, modules)).toEqual({ path })
    expect(readFileSync(join(modules, 'electron', 'runs'), 'utf8')).toBe('.')
  })

  it('that cannot be fetched is told with its reason, and not tried at every start', async () => {
    const modules = fakePackage('bad', `${counts} throw new TypeError('fetch failed')`)
    const runs = () => readFileSync(join(modules, 'electron', 'runs'), 'utf8').length
    expect(await findElectron(false, modules)).toEqual({
      reason: expect.stringContaining('Electron could not be fetched: TypeError: fetch failed') as string,
    })
    expect(await findElectron(false, modules)).toEqual({ reason: expect.stringContaining('--electron') as string })
    expect(runs()).toBe(1)
    await findElectron(true, modules)
    expect(runs()).toBe(2)
  })

  it('that fails at once gives way to the browser, one that the user closes does not', async () => {
    const program = (name: string, script: string) => {
      const path = join(dir, name)
      writeFileSync(path, `#!/bin/sh\n${script}\n`)
      chmodSync(path, 0o755)
      return path
    }
    const broken = program('broken', 'echo "error while loading shared libraries: libnss3.so" >&2; exit 127')
    expect(await runElectron(broken, '/lab')).toMatch(/Electron did not start \(code 127\): .*libnss3/)
    const fine = program('fine', 'echo "$2 $3" > "$0.args"')
    expect(await runElectron(fine, '/lab')).toBeUndefined()
    expect(readFileSync(`${fine}.args`, 'utf8')).toBe('--workspace /lab\n')
  })
})
