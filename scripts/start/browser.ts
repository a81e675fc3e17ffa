/** A browser for the page: one of the Chromium family in a window without tabs, else the user's default. */
import { spawn } from 'node:child_process'
import { accessSync, constants, realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface Command {
  /** In the message, e.g. `chromium in a window of its own`. */
  name: string
  command: string
  args: string[]
}

export interface Machine {
  platform: string
  env: Record<string, string | undefined>
  /** Whether the process is root's: Chromium refuses to run so without giving up its sandbox. */
  isRoot: boolean
  canRun(path: string): boolean
}

export const thisMachine: Machine = {
  platform: process.platform,
  env: process.env,
  isRoot: process.getuid?.() === 0,
  canRun(path) {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  },
}

/** Why no window can be opened here, if so. */
export function whyNoDisplay({ platform, env, isRoot }: Machine): string | undefined {
  if (platform === 'linux' && !env.DISPLAY && !env.WAYLAND_DISPLAY) return 'this machine has no display'
  if (platform === 'darwin' && env.SSH_CONNECTION) return 'this is a remote shell'
  if (platform === 'linux' && isRoot) return 'browsers and Electron do not run as root with their sandbox on'
  return undefined
}

const onPath = [
  'google-chrome',
  'google-chrome-stable',
  'chromium',
  'chromium-browser',
  'microsoft-edge',
  'brave-browser',
]
const macApps = ['Google Chrome', 'Chromium', 'Microsoft Edge', 'Brave Browser']
const windowsApps = ['Google\\Chrome\\Application\\chrome.exe', 'Microsoft\\Edge\\Application\\msedge.exe']

/** How to show `address`; undefined where not even a default browser is known. `profile`: a folder for the app's own settings. */
export function browserFor(address: string, profile: string, machine: Machine = thisMachine): Command | undefined {
  const chromium = findChromium(machine)
  if (chromium) {
    const args = [`--app=${address}`, '--no-first-run', '--no-default-browser-check']
    // A Chromium out of a snap may not write to hidden folders; there it keeps its usual profile.
    if (!isSnap(chromium)) args.push(`--user-data-dir=${profile}`)
    return { name: `${chromium}, in a window of its own`, command: chromium, args }
  }
  if (machine.platform === 'darwin') return { name: 'the default browser', command: 'open', args: [address] }
  if (machine.platform === 'win32')
    return { name: 'the default browser', command: 'rundll32', args: ['url.dll,FileProtocolHandler', address] }
  const opener = whichOf(['xdg-open'], machine)
  return opener ? { name: 'the default browser', command: opener, args: [address] } : undefined
}

function findChromium(machine: Machine): string | undefined {
  const { platform, env, canRun } = machine
  if (platform === 'darwin')
    return macApps.map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`).find((path) => canRun(path))
  if (platform === 'win32')
    return [env.PROGRAMFILES, env['PROGRAMFILES(X86)'], env.LOCALAPPDATA]
      .flatMap((folder) => (folder ? windowsApps.map((app) => `${folder}\\${app}`) : []))
      .find((path) => canRun(path))
  return whichOf(onPath, machine)
}

function whichOf(names: string[], { env, canRun }: Machine): string | undefined {
  const folders = (env.PATH ?? '').split(delimiter).filter(Boolean)
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => canRun(path))
}

function isSnap(path: string): boolean {
  try {
    return realpathSync(path).startsWith('/snap/') || realpathSync(path).endsWith('/snap')
  } catch {
    return false
  }
}

/** Starts the browser and lets it go; resolves to why it could not. */
export function openBrowser({ command, args }: Command): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'ignore', detached: true })
    child.on('error', (error) => resolve(error.message))
    child.on('spawn', () => {
      child.unref()
      resolve(undefined)
    })
  })
}
