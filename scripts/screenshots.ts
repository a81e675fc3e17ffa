/**
 * The pictures of docs/images anew: `npm run screenshots -- --workspace W`, a workspace with a finished `demo` run of a simulated subject
 * (`npm run demo` makes one). Each place in dark and light, at 1440 x 900.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium, type Page } from 'playwright-core'
import { layout } from '../src-main/base/layout.ts'
import { startNodeHost } from '../src-main/hosts/nodeServer.ts'

const { values } = parseArgs({
  options: { workspace: { type: 'string', default: 'demo-workspace' }, out: { type: 'string' } },
})
const out = values.out ?? join(layout.root, 'docs', 'images')
const executablePath = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path))

/** A place and what to do in it before the picture is taken. */
const shots: { name: string; place: string; prepare?(page: Page): Promise<void> }[] = [
  { name: 'data', place: 'data', prepare: (page) => steps(page, 4) },
  {
    name: 'train',
    place: 'train',
    async prepare(page) {
      await page.locator('.dv-tab', { hasText: 'Curves' }).click()
      await page.locator('tbody tr[data-run]').first().click()
      await page.locator('.chart canvas').first().waitFor()
    },
  },
  {
    name: 'batch',
    place: 'train',
    async prepare(page) {
      await page.locator('tbody tr[data-run]').first().click()
      await page.locator('.dv-tab', { hasText: 'Batch' }).click()
      await page.locator('.matrix').first().waitFor()
    },
  },
  {
    name: 'decode',
    place: 'decode',
    async prepare(page) {
      await page.getByRole('region', { name: 'What it finds' }).first().waitFor({ timeout: 120_000 })
      await steps(page, 6)
    },
  },
  {
    name: 'reconstruct',
    place: 'decode',
    async prepare(page) {
      await page.locator('.dv-tab', { hasText: 'Reconstruct' }).click()
      await page.locator('figure[data-kind=combined] img').waitFor({ timeout: 120_000 })
    },
  },
  {
    name: 'compute',
    place: 'compute',
    async prepare(page) {
      await page.getByText('GFLOP/s').waitFor({ timeout: 60_000 })
    },
  },
]

const host = await startNodeHost({
  workspacePath: values.workspace,
  renderer: layout.renderer,
  allow: [],
  log: () => {},
  port: 0,
})
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-background-networking'],
})
try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' })
  const page = await context.newPage()
  await page.goto(host.address)
  for (const theme of ['dark', 'light'] as const)
    for (const { name, place, prepare } of shots) {
      await page.goto(new URL(`/#/${place}`, host.address).href)
      await page.locator('.dv-groupview').first().waitFor()
      if ((await page.locator('html').getAttribute('data-theme')) !== theme) await page.keyboard.press('Alt+t')
      await prepare?.(page)
      await page.mouse.move(720, 890) // over nothing
      await page.waitForTimeout(4000)
      const path = join(out, `${name}-${theme}.png`)
      await page.screenshot({ path })
      process.stderr.write(`${path}\n`)
    }
} finally {
  await browser.close()
  await host.close()
}

/** Steps to a trial of the place's axis. */
async function steps(page: Page, count: number): Promise<void> {
  await page.keyboard.press('Home')
  for (let i = 0; i < count; i++) await page.keyboard.press('j')
  await page.waitForTimeout(500)
}
