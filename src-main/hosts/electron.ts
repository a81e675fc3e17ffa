/** The app in a window of its own: wiring only. What must hold is in security.ts, dialogs.ts and windowState.ts, with tests. */
import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { app, BrowserWindow, dialog, ipcMain, Menu, nativeTheme, protocol, screen, session, shell } from 'electron'
import { createApp, type App } from '../app.ts'
import { toMindEyeError } from '../base/failure.ts'
import { layout } from '../base/layout.ts'
import { nativeHandlers } from './dialogs.ts'
import { answerer, plainText } from './page.ts'
import { defaultWorkspace } from './places.ts'
import {
  appOrigin,
  appScheme,
  isOurPage,
  mayHavePermission,
  mayOpenExternally,
  refuseAppRequest,
  schemePrivileges,
  webPreferences,
} from './security.ts'
import { readWindowState, smallestWindow, windowBounds, writeWindowState } from './windowState.ts'

const { values } = parseArgs({
  args: process.argv.slice(app.isPackaged ? 1 : 2),
  options: { workspace: { type: 'string' } },
  strict: false, // Chromium's own switches come along
})
const workspacePath = resolve(typeof values.workspace === 'string' ? values.workspace : defaultWorkspace())

// One instance per workspace: its profile has the lock, so a second start shows the window that is there.
const profile = createHash('sha256').update(workspacePath).digest('hex').slice(0, 12)
app.setPath('userData', join(app.getPath('appData'), 'MindEye Workstation', profile))
protocol.registerSchemesAsPrivileged([{ scheme: appScheme, privileges: schemePrivileges }])
app.enableSandbox()

let window: BrowserWindow | undefined
let mindeye: App | undefined

if (app.requestSingleInstanceLock()) {
  app.on('second-instance', showWindow)
  app.on('activate', showWindow)
  app.on('window-all-closed', () => app.quit())
  app.on('web-contents-created', (_event, contents) => {
    contents.on('will-frame-navigate', (event) => {
      if (!isOurPage(event.url)) event.preventDefault()
    })
    contents.on('will-attach-webview', (event) => event.preventDefault())
    contents.setWindowOpenHandler(({ url }) => {
      if (mayOpenExternally(url)) void shell.openExternal(url)
      return { action: 'deny' }
    })
  })
  endTidily()
  void app.whenReady().then(start, fail)
} else app.quit()

async function start(): Promise<void> {
  try {
    const log = (line: string) => void process.stderr.write(`${line}\n`)
    mindeye = await createApp({ workspacePath, allow: [], native: true, log })
  } catch (error) {
    return fail(error)
  }
  const answer = answerer(mindeye, layout.renderer)
  protocol.handle(appScheme, async (request) => {
    const refusal = refuseAppRequest(request)
    return refusal ? plainText(403, refusal) : answer(request)
  })
  session.defaultSession.setPermissionCheckHandler((contents, permission) =>
    mayHavePermission(permission, contents?.getURL()),
  )
  session.defaultSession.setPermissionRequestHandler((contents, permission, callback) =>
    callback(mayHavePermission(permission, contents.getURL())),
  )
  const handlers = nativeHandlers(mindeye.picked, {
    open: (options) => dialog.showOpenDialog(window!, options),
    save: (options) => dialog.showSaveDialog(window!, options),
  })
  for (const [channel, handle] of Object.entries(handlers)) ipcMain.handle(channel, handle)
  // A Mac's menu carries copy and paste; elsewhere the page has its own command palette.
  Menu.setApplicationMenu(
    process.platform === 'darwin'
      ? Menu.buildFromTemplate([{ role: 'appMenu' }, { role: 'editMenu' }, { role: 'windowMenu' }])
      : null,
  )
  openWindow()
}

function openWindow(): void {
  const file = join(app.getPath('userData'), 'window.json')
  const saved = readWindowState(file)
  const displays = screen.getAllDisplays().map((display) => display.workArea)
  const opened = new BrowserWindow({
    ...windowBounds(saved, displays),
    minWidth: smallestWindow.width,
    minHeight: smallestWindow.height,
    title: 'MindEye Workstation',
    icon: layout.resource('icons/icon.png'),
    backgroundColor: nativeTheme.shouldUseDarkColors ? '#0F1216' : '#F4F6F8', // the page's bg0
    show: false,
    webPreferences: { ...webPreferences, preload: fileURLToPath(new URL('../preload/preload.cjs', import.meta.url)) },
  })
  window = opened
  if (saved?.maximized) opened.maximize()
  opened.once('ready-to-show', () => opened.show())
  opened.on('close', () => writeWindowState(file, { ...opened.getNormalBounds(), maximized: opened.isMaximized() }))
  opened.on('closed', () => (window = undefined))
  void opened.loadURL(`${appOrigin}/`)
}

function showWindow(): void {
  if (!window) {
    if (mindeye) openWindow()
    return
  }
  if (window.isMinimized()) window.restore()
  window.focus()
}

/** Jobs write what they have before the process ends, however it is asked to. */
function endTidily(): void {
  let closing = false
  app.on('before-quit', (event) => {
    if (!mindeye) return
    event.preventDefault()
    if (closing) return
    closing = true
    void mindeye.close().finally(() => app.exit(0))
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => app.quit())
}

function fail(error: unknown): void {
  const { message } = toMindEyeError(error)
  process.stderr.write(`${message}\n`)
  dialog.showErrorBox('MindEye Workstation cannot start', message)
  app.exit(1)
}
