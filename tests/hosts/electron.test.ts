import { EventEmitter } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { channels } from '../../src-main/hosts/bridge.ts'
import { schemePrivileges, webPreferences } from '../../src-main/hosts/security.ts'

/** The parts of Electron that the app wires together, each remembering what it was given. */
const electron = vi.hoisted(() => ({
  calls: [] as string[],
  handlers: new Map<string, (...args: never[]) => unknown>(),
  windowOptions: undefined as Record<string, unknown> | undefined,
  loaded: '',
  opened: [] as string[],
  app: undefined as unknown as EventEmitter,
}))

vi.mock('electron', async () => {
  const { EventEmitter } = await import('node:events')
  const { handlers, calls } = electron
  const paths: Record<string, string> = { appData: '/nowhere' }
  electron.app = Object.assign(new EventEmitter(), {
    isPackaged: false,
    setPath: (name: string, path: string) => (paths[name] = path),
    getPath: (name: string) => paths[name],
    enableSandbox: () => calls.push('enableSandbox'),
    requestSingleInstanceLock: () => calls.push('requestSingleInstanceLock') > 0,
    whenReady: () => Promise.resolve(calls.push('whenReady')),
    quit: () => calls.push('quit'),
    exit: (code: number) => calls.push(`exit ${code}`),
  })
  class BrowserWindow extends EventEmitter {
    constructor(options: Record<string, unknown>) {
      super()
      electron.windowOptions = options
    }
    async loadURL(url: string) {
      electron.loaded = url
      calls.push('loadURL')
    }
    isMaximized = () => false
  }
  return {
    app: electron.app,
    BrowserWindow,
    dialog: { showErrorBox: (_title: string, text: string) => calls.push(text) },
    ipcMain: { handle: (channel: string, handler: () => unknown) => handlers.set(channel, handler) },
    Menu: { setApplicationMenu: () => calls.push('setApplicationMenu'), buildFromTemplate: () => ({}) },
    nativeTheme: { shouldUseDarkColors: true },
    protocol: {
      registerSchemesAsPrivileged: (schemes: unknown) => calls.push(`privileged ${JSON.stringify(schemes)}`),
      handle: (scheme: string, handler: () => unknown) => handlers.set(scheme, handler),
    },
    screen: { getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1080 } }] },
    session: {
      defaultSession: {
        setPermissionCheckHandler: (handler: () => unknown) => handlers.set('permission check', handler),
        setPermissionRequestHandler: (handler: () => unknown) => handlers.set('permission request', handler),
      },
    },
    shell: { openExternal: async (url: string) => electron.opened.push(url) },
  }
})

const dir = mkdtempSync(join(tmpdir(), 'electron-test-'))
const call = (name: string, ...args: unknown[]) => electron.handlers.get(name)!(...(args as never[]))

beforeAll(async () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  process.argv = ['electron', '.', '--workspace', join(dir, 'lab'), '--some-switch-of-chromium']
  await import('../../src-main/hosts/electron.ts')
  await vi.waitFor(() => expect(electron.calls).toContain('loadURL'), 20_000)
}, 30_000)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

it('starts sandboxed, once per workspace, with its scheme registered before the app is ready', () => {
  const scheme = `privileged ${JSON.stringify([{ scheme: 'app', privileges: schemePrivileges }])}`
  expect(electron.calls.slice(0, 4)).toEqual([scheme, 'enableSandbox', 'requestSingleInstanceLock', 'whenReady'])
  expect(existsSync(join(dir, 'lab'))).toBe(true)
})

it('opens its window with every stated preference and the preload script, on its own scheme', () => {
  const { webPreferences: given, ...options } = electron.windowOptions!
  const { preload, ...preferences } = given as Record<string, unknown>
  expect(preferences).toEqual(webPreferences)
  expect(preload).toMatch(/preload\.cjs$/)
  expect(options).toMatchObject({ width: 1440, height: 900, minWidth: 1200, minHeight: 720, show: false })
  expect(electron.loaded).toBe('app://mindeye/')
})

it('answers its own page only', async () => {
  const ask = (url: string, headers = {}) => call('app', new Request(url, { headers })) as Promise<Response>
  const answer = await ask('app://mindeye/api/host')
  expect(answer.status).toBe(200)
  expect(await answer.json()).toMatchObject({ native: true })
  expect(answer.headers.get('Content-Security-Policy')).toContain("default-src 'none'")
  expect((await ask('app://other/api/host')).status).toBe(403)
  expect((await ask('app://mindeye/api/host', { Origin: 'https://example.org' })).status).toBe(403)
  expect((await ask('app://mindeye/..%2f..%2fpackage.json')).status).toBe(404)
})

it('grants nothing but copying, to its own page', () => {
  const at = (url: string) => ({ getURL: () => url })
  const answers: boolean[] = []
  const request = (url: string, permission: string) =>
    call('permission request', at(url), permission, (granted: boolean) => answers.push(granted))
  request('app://mindeye/', 'clipboard-sanitized-write')
  request('app://mindeye/', 'media')
  request('https://example.org/', 'clipboard-sanitized-write')
  expect(answers).toEqual([true, false, false])
  expect(call('permission check', at('app://mindeye/'), 'geolocation')).toBe(false)
  expect(call('permission check', null, 'clipboard-sanitized-write')).toBe(false)
})

it('goes nowhere else, opens no windows, and hands on only links to known sites', () => {
  const contents = Object.assign(new EventEmitter(), {
    setWindowOpenHandler: (handler: () => unknown) => electron.handlers.set('window open', handler),
  })
  electron.app.emit('web-contents-created', {}, contents)
  const isStopped = (event: string, url: string) => {
    const preventDefault = vi.fn()
    contents.emit(event, { url, preventDefault })
    return preventDefault.mock.calls.length === 1
  }
  expect(isStopped('will-frame-navigate', 'https://example.org/')).toBe(true)
  expect(isStopped('will-frame-navigate', 'file:///etc/passwd')).toBe(true)
  expect(isStopped('will-frame-navigate', 'app://mindeye/')).toBe(false)
  expect(isStopped('will-attach-webview', 'app://mindeye/')).toBe(true)
  for (const url of ['https://arxiv.org/abs/2305.18274', 'https://example.org/', 'file:///etc/passwd'])
    expect(call('window open', { url })).toEqual({ action: 'deny' })
  expect(electron.opened).toEqual(['https://arxiv.org/abs/2305.18274'])
})

it('hears the bridge’s channels and refuses unknown senders on each', async () => {
  for (const channel of Object.values(channels))
    await expect(
      call(channel, { senderFrame: { url: 'https://example.org/', parent: null } }, []),
      channel,
    ).rejects.toThrow('unknown sender')
})

it('ends its work before it ends', async () => {
  const preventDefault = vi.fn()
  electron.app.emit('before-quit', { preventDefault })
  expect(preventDefault).toHaveBeenCalledOnce()
  await vi.waitFor(() => expect(electron.calls).toContain('exit 0'), 10_000)
})
