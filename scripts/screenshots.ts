/**
 * The pictures of docs/images anew: `npm run screenshots -- --workspace W [--only brain,reconstruct]`, a workspace with a finished `demo` run of a
 * simulated subject and its reconstructions (`npm run demo` makes one). Each place in dark and light, at 1440 x 900, as PNG with a palette.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium, type Page } from 'playwright-core'
import sharp from 'sharp'
import { layout } from '../src-main/base/layout.ts'
import { startNodeHost } from '../src-main/hosts/nodeServer.ts'

const { values } = parseArgs({
  options: {
    workspace: { type: 'string', default: 'demo-workspace' },
    out: { type: 'string' },
    only: { type: 'string' },
  },
})
const out = values.out ?? join(layout.root, 'docs', 'images')
const executablePath = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path))

/** Panels that lie on the figure's page: their places and titles. */
const sent = [
  ['decode', 'Retrieve'],
  ['train', 'Curves'],
  ['evaluate', 'Scores'],
]

/** A place and what to do in it before the picture is taken. */
const shots: { name: string; place: string; prepare?(page: Page): Promise<void> }[] = [
  { name: 'data', place: 'data', prepare: (page) => steps(page, 4) },
  {
    name: 'train',
    place: 'train',
    async prepare(page) {
      await show(page, 'Curves')
      await page.locator('tbody tr[data-run]').first().click()
      await page.locator('.chart canvas').first().waitFor()
    },
  },
  {
    name: 'batch',
    place: 'train',
    async prepare(page) {
      await page.locator('tbody tr[data-run]').first().click()
      await show(page, 'Batch')
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
      await show(page, 'Reconstruct')
      await page.getByRole('region', { name: 'Seen and reconstructed' }).waitFor({ timeout: 120_000 })
      await steps(page, 2)
      // Not every trial needs to have its pictures.
      const made = page.locator('figure[data-kind=combined] img')
      for (let more = 0; more < 40 && !(await made.count()); more++) {
        await page.keyboard.press('j')
        await page.waitForTimeout(500)
      }
      await made.waitFor()
      await show(page, 'ROI knock-out')
      const area = page.getByRole('region', { name: 'Areas' }).getByRole('switch').first()
      await area.waitFor()
      if ((await area.getAttribute('aria-checked')) === 'true') await area.click()
      await page.getByRole('region', { name: 'What is still found' }).locator('tbody tr').nth(1).waitFor()
      const without = page.getByRole('img', { name: 'reconstruction, without them' })
      if (!(await without.count())) await page.getByRole('button', { name: 'Picture without them' }).click()
      await without.waitFor({ timeout: 120_000 })
    },
  },
  {
    name: 'evaluate',
    place: 'evaluate',
    async prepare(page) {
      await show(page, 'Scores')
      await page.locator('.scores tbody tr').first().waitFor()
      const unscored = page.getByRole('button', { name: 'Score it' })
      while (await unscored.count()) {
        await unscored.first().click()
        await page.waitForTimeout(500)
      }
      await page.locator('.scores td.state').first().waitFor({ state: 'detached', timeout: 300_000 })
    },
  },
  {
    name: 'insights',
    place: 'evaluate',
    async prepare(page) {
      await show(page, 'Insights')
      await page.waitForTimeout(3000)
    },
  },
  {
    name: 'figures',
    place: 'figures',
    async prepare(page) {
      const isEmpty = (await page.locator('.sheet [data-panel]').count()) === 0
      for (const [place, panel] of isEmpty ? [...sent, ['figures', 'Page']] : []) {
        await page.goto(page.url().replace(/#.*/, `#/${place}`))
        await page.locator('.dv-groupview').first().waitFor()
        await show(page, panel)
        await page.waitForTimeout(3000)
        if (place !== 'figures') await page.keyboard.press('Control+e')
        await page.waitForTimeout(2000)
      }
      await page.locator('.sheet [data-panel]').first().waitFor()
    },
  },
  {
    name: 'brain',
    place: 'data',
    async prepare(page) {
      await show(page, 'Brain')
      await page.keyboard.press('f')
      await page.locator('canvas.cortex').waitFor()
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

const isWanted = ({ name }: { name: string }): boolean => values.only?.split(',').includes(name) ?? true

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
    for (const { name, place, prepare } of shots.filter(isWanted)) {
      await page.goto(new URL(`/#/${place}`, host.address).href)
      await page.locator('.dv-groupview').first().waitFor()
      if ((await page.locator('html').getAttribute('data-theme')) !== theme) await page.keyboard.press('Alt+t')
      await prepare?.(page)
      await page.mouse.move(720, 890) // over nothing
      await page.waitForTimeout(4000)
      const path = join(out, `${name}-${theme}.png`)
      await sharp(await page.screenshot())
        .png({ palette: true, effort: 10 })
        .toFile(path)
      process.stderr.write(`${path}\n`)
    }
} finally {
  await browser.close()
  await host.close()
}

function show(page: Page, panel: string): Promise<void> {
  return page.locator('.dv-tab', { hasText: panel }).first().click()
}

/** Steps to a trial of the place's axis. */
async function steps(page: Page, count: number): Promise<void> {
  await page.keyboard.press('Home')
  for (let i = 0; i < count; i++) await page.keyboard.press('j')
  await page.waitForTimeout(500)
}
