/**
 * What a user of the page feels, measured in Chromium on the Node host: `npm run bench:page -- [--gallery FOLDER] [--switches N] [--only memory,…] [--json]`.
 * Without `--gallery` a gallery of 73,000 pictures is made first (a minute or two). Frame times are those of the machine's own renderer,
 * which is named; without a graphics card that is a software one. Fails when what the page holds still grows in the second half of the switches.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium, type Page } from 'playwright-core'
import { createContext } from '../../src-main/actions/context.ts'
import { demoSubjectAction } from '../../src-main/actions/demoSubject.ts'
import { galleryAction } from '../../src-main/actions/gallery.ts'
import { simulateAction } from '../../src-main/actions/simulate.ts'
import { importAction } from '../../src-main/actions/import.ts'
import { trainAction } from '../../src-main/actions/train.ts'
import { layout } from '../../src-main/base/layout.ts'
import { startNodeHost } from '../../src-main/hosts/nodeServer.ts'
import { heldAfterSwitches, leaks } from './memory.ts'

/** A place, subject or trial every five seconds for an hour. */
const HOUR_OF_SWITCHES = 720
const GALLERY_IMAGES = 73_000
const ROUNDS = 12

const { values } = parseArgs({
  options: {
    gallery: { type: 'string' },
    switches: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'boolean' },
  },
})
const switches = Number(values.switches ?? HOUR_OF_SWITCHES)
const say = (line: string) => process.stderr.write(`${line}\n`)
const root = mkdtempSync(join(tmpdir(), 'mindeye-page-'))
const workspace = join(root, 'workspace')

const gallery = values.gallery ?? join(root, 'pictures')
if (!existsSync(gallery)) {
  say(`making a gallery of ${GALLERY_IMAGES} pictures …`)
  const script = join(import.meta.dirname, 'makeGallery.ts')
  execFileSync(process.execPath, [script, gallery, String(GALLERY_IMAGES)], { stdio: ['ignore', 2, 2] })
}

const galleryImages = readdirSync(gallery, { recursive: true, encoding: 'utf8' }).filter((name) =>
  /\.(jpe?g|png|webp|tiff?)$/i.test(name),
).length

say('making the workspace: two subjects, a run, the gallery …')
const ctx = createContext(() => {})
const options = { signal: new AbortController().signal, progress: () => {} }
await demoSubjectAction.run(ctx, { workspace, images: 120 }, options)
const other = join(root, 'other')
const choices = { subjects: 1, images: 90, layout: 'webdataset', seed: 7, imageSize: 64 } as const
await simulateAction.run(ctx, { out: other, ...choices }, options)
await importAction.run(ctx, { workspace, paths: [join(other, 'subj01')], as: 'other' }, options)
await trainAction.run(
  ctx,
  { workspace, subject: 'simulated-120', preset: 'demo', seed: 42, set: ['epochs=4', 'encoderSteps=60'] },
  options,
)
await galleryAction.run(ctx, { workspace, do: 'add', target: gallery, as: 'pictures' }, options)
await ctx.close()

const executablePath = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path))
const host = await startNodeHost({
  workspacePath: workspace,
  renderer: layout.renderer,
  allow: [],
  log: () => {},
  port: 0,
})
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
    '--disable-background-networking',
    '--js-flags=--expose-gc',
    '--enable-precise-memory-info',
  ],
})
try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
  // Exchanges the token for a cookie, and fills the caches that a second start finds.
  const first = await context.newPage()
  await first.goto(host.address)
  await first.locator('dl.facts').first().waitFor()
  await first.close()

  const result: Record<string, unknown> = {
    machine: `${cpus()[0].model.trim()}, ${cpus().length} cores`,
    chromium: browser.version(),
  }
  const stages = {
    firstContentMs: async () => median(await times(ROUNDS, firstContent)),
    subjectSwitchMs: subjectSwitches,
    galleryScroll,
    memory: memoryOfAnHour,
  }
  for (const [name, measure] of Object.entries(stages)) {
    if (values.only && !values.only.split(',').includes(name)) continue
    result[name] = await measure()
    say(`${name}: ${JSON.stringify(result[name])}`)
  }
  process.stdout.write(`${JSON.stringify(result, null, values.json ? undefined : 2)}\n`)

  /** From the address to the facts of the selected subject. */
  async function firstContent(): Promise<number> {
    const page = await context.newPage()
    await page.goto(new URL('/#/data', host.address).href)
    await page.locator('dl.facts').first().waitFor()
    const ms = await page.evaluate(() => performance.now())
    await page.close()
    return ms
  }

  /** From the click on a subject to its facts in the document, median and worst. */
  async function subjectSwitches(): Promise<{ median: number; worst: number }> {
    const page = await context.newPage()
    await page.goto(new URL('/#/data', host.address).href)
    await page.locator('dl.facts').first().waitFor()
    const ms: number[] = []
    for (let round = 0; round < 2 * ROUNDS; round++) {
      await page.waitForTimeout(400)
      ms.push(await switchTo(page, round % 2 ? 'simulated-120' : 'other', round % 2 ? '420' : '315'))
    }
    await page.close()
    // The first of each fills the caches.
    const warm = ms.slice(2)
    return { median: median(warm), worst: Math.max(...warm) }
  }

  function switchTo(page: Page, subject: string, trials: string): Promise<number> {
    return page.evaluate(
      ({ subject, trials }) =>
        new Promise<number>((resolve, reject) => {
          const button = [...document.querySelectorAll<HTMLElement>('nav[aria-label="Subjects"] button.main')].find(
            (b) => b.textContent.includes(subject),
          )!
          const started = performance.now()
          const look = () => {
            const facts = document.querySelector('dl.facts')?.textContent ?? ''
            if (!facts.includes(trials)) {
              if (performance.now() - started > 10_000) return reject(new Error(`no facts of ${subject}: ${facts}`))
              return requestAnimationFrame(look)
            }
            resolve(performance.now() - started)
          }
          button.click()
          look()
        }),
      { subject, trials },
    )
  }

  /** Frames while the gallery's 73,000 thumbnails run by, 1,500 px a frame. */
  async function galleryScroll() {
    const page = await context.newPage()
    await page.goto(new URL('/#/decode', host.address).href)
    await page.getByText('Gallery', { exact: true }).first().click()
    const grid = page.getByRole('grid', { name: 'Images of pictures' })
    await grid.waitFor()
    await page.waitForTimeout(1000)
    const frames = await grid.evaluate(
      (element) =>
        new Promise<number[]>((resolve) => {
          const frameMs: number[] = []
          let last = performance.now()
          const step = () => {
            const now = performance.now()
            frameMs.push(now - last)
            last = now
            element.scrollTop += 1500
            if (frameMs.length < 240) requestAnimationFrame(step)
            else resolve(frameMs.slice(1))
          }
          requestAnimationFrame(step)
        }),
    )
    await page.waitForTimeout(1500)
    const shown = await grid.locator('.thumb').count()
    await page.close()
    return { images: galleryImages, frameMedian: median(frames), frameP95: quantile(frames, 0.95), thumbnails: shown }
  }

  async function memoryOfAnHour() {
    const page = await context.newPage()
    await page.goto(new URL('/#/data', host.address).href)
    await page.locator('dl.facts').first().waitFor()
    const held = await heldAfterSwitches(page, switches, say)
    await page.close()
    for (const leak of leaks(held)) {
      say(`it grows: ${leak}`)
      process.exitCode = 1
    }
    return held
  }
} finally {
  await browser.close()
  await host.close()
  rmSync(root, { recursive: true, force: true })
}

async function times(n: number, measure: () => Promise<number>): Promise<number[]> {
  const ms: number[] = []
  for (let i = 0; i < n; i++) ms.push(await measure())
  return ms
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] * 10) / 10
}

function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5)
}
