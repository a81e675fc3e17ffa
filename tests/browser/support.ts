import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, expect } from 'vitest'
import { layout } from '../../src-main/base/layout.ts'
import { startNodeHost, type NodeHost } from '../../src-main/hosts/nodeServer.ts'
import { dropWithPaths, inElectron, openElectron } from './electronDriver.ts'

const candidates = [
  process.env.MINDEYE_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]
const executablePath = candidates.find((path) => path !== undefined && existsSync(path))

/** Why browser tests are skipped here; undefined where they run. */
export const skipReason =
  executablePath || inElectron ? undefined : 'no Chromium: apt-get install chromium, or set MINDEYE_CHROMIUM'
if (skipReason) console.warn(`browser tests are skipped: ${skipReason}`)

const flags = [
  '--no-sandbox',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--force-color-profile=srgb',
]

let browser: Promise<Browser> | undefined
const cleanUps: (() => Promise<unknown> | void)[] = []
afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
  await (await browser)?.close()
  browser = undefined
}, 60_000)

export interface Workstation {
  page: Page
  host: NodeHost
  workspace: string
  /** What the page complained of so far: errors on the console and exceptions. */
  complaints: string[]
  close(): Promise<void>
}

/** A temporary folder that is gone after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mindeye-browser-'))
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/**
 * The app on a workspace (default: an empty one), opened in Chromium at 1440 x 900. `close` fails when the page complained of anything;
 * it is called at the end of the file where a test has not.
 */
export async function openWorkstation(
  options: { workspace?: string; allow?: string[]; theme?: 'dark' | 'light'; place?: string } = {},
): Promise<Workstation> {
  const workspace = options.workspace ?? join(temporaryFolder(), 'workspace')
  const theme = options.theme ?? 'dark'
  const opened = inElectron
    ? await openElectron(workspace, theme)
    : await openChromium(workspace, theme, options.allow ?? [])
  const { page, host } = opened
  page.setDefaultNavigationTimeout(120_000)
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('pageerror', (error) =>
    complaints.push(error.stack || error.message || 'something without a message was thrown'),
  )
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await opened.close()
    expect(complaints).toEqual([])
  }
  cleanUps.push(close)
  if (!inElectron) await page.goto(host.address) // Electron's window has opened it
  if (options.place) await page.goto(new URL(`/#/${options.place}`, host.address).href)
  await page.locator('.shell').waitFor()
  return { page, host, workspace, complaints, close }
}

async function openChromium(
  workspace: string,
  theme: 'dark' | 'light',
  allow: string[],
): Promise<{ page: Page; host: NodeHost; close(): Promise<void> }> {
  const host = await startNodeHost({
    workspacePath: workspace,
    renderer: layout.renderer,
    allow,
    log: () => {},
    port: 0,
  })
  browser ??= chromium.launch({ executablePath, args: flags })
  const context = await (
    await browser
  ).newContext({ viewport: { width: 1440, height: 900 }, colorScheme: theme, reducedMotion: 'reduce' })
  return {
    page: await context.newPage(),
    host,
    async close() {
      await context.close()
      await host.close()
    },
  }
}

/** Axe's serious and critical findings, as lines that name the rule and the element. */
export async function seriousFindings(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(inElectron).analyze()
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id}: ${help} (${target.join(' ')})`))
}

/** Drops files and folders onto the page as a file manager would: names with slashes lie in folders. */
export async function dropFiles(page: Page, files: { name: string; path: string }[], target = '.shell'): Promise<void> {
  if (inElectron) {
    const paths = files.map(({ path }) => path)
    return dropWithPaths(page, paths, target)
  }
  const contents = files.map(({ name, path }) => ({ name, data: readFileSync(path).toString('base64') }))
  await page.evaluate(
    async ({ contents, target }) => {
      const transfer = new DataTransfer()
      for (const { name, data } of contents) {
        const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0))
        transfer.items.add(new File([bytes], name))
      }
      const element = document.querySelector(target)!
      for (const type of ['dragenter', 'dragover', 'drop'])
        element.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }))
    },
    { contents, target },
  )
}

/** The files of a folder as they are dropped with it. */
export function filesOf(folder: string, prefix: string): { name: string; path: string }[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return statSync(path).isDirectory() ? filesOf(path, `${prefix}/${name}`) : [{ name: `${prefix}/${name}`, path }]
  })
}

/** Engine processes that this process started; they are found in /proc. */
export function engineProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const [, parent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))!
        const isEngine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('hosts/engine.ts')
        return Number(parent) === process.pid && isEngine
      } catch {
        return false // it has ended meanwhile
      }
    })
}
