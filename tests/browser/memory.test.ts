import { join } from 'node:path'
import type { CDPSession, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createContext, type OwnedContext } from '../../src-main/actions/context.ts'
import { demoSubjectAction } from '../../src-main/actions/demoSubject.ts'
import { importAction } from '../../src-main/actions/import.ts'
import { simulateAction } from '../../src-main/actions/simulate.ts'
import { trainAction } from '../../src-main/actions/train.ts'
import { countOf } from '../../bench/page/memory.ts'
import { inElectron } from './electronDriver.ts'
import { openWorkstation, skipReason, temporaryFolder } from './support.ts'
import type { Workstation } from './support.ts'

const quiet = { signal: new AbortController().signal, progress: () => {} }
const SUBJECTS = ['simulated-24', 'other']
const [WARM_ROUNDS, ROUNDS] = [3, 5]

/** What a page that forgets nothing piles up, all of it seen from outside once garbage is collected. */
describe.skipIf(skipReason ?? inElectron)('the page of somebody who goes to and fro', { timeout: 300_000 }, () => {
  let ctx: OwnedContext
  let station: Workstation
  let page: Page
  let session: CDPSession

  beforeAll(async () => {
    const folder = temporaryFolder()
    const workspace = join(folder, 'workspace')
    ctx = createContext(() => {})
    const { subject } = await demoSubjectAction.run(ctx, { workspace, images: 24 }, quiet)
    const other = { out: join(folder, 'other'), subjects: 1, images: 24, layout: 'webdataset', seed: 7 } as const
    await simulateAction.run(ctx, { ...other, imageSize: 32 }, quiet)
    await importAction.run(ctx, { workspace, paths: [join(other.out, 'subj01')], as: 'other' }, quiet)
    const set = ['epochs=2', 'encoderSteps=20', 'hidden=32']
    await trainAction.run(ctx, { workspace, subject, preset: 'small-study', seed: 42, set }, quiet)
    station = await openWorkstation({ workspace, place: 'data' })
    page = station.page
    session = await page.context().newCDPSession(page)
  }, 300_000)
  afterAll(async () => {
    await ctx?.close()
  })

  const facts = () => page.locator('dl.facts').first()

  /** Every place once, and both subjects, some trials of each; ends where it began. */
  async function round() {
    for (const subject of SUBJECTS) {
      for (const place of ['train', 'decode', 'evaluate', 'data']) {
        await page.evaluate((to) => (location.hash = `#/${to}`), place)
        await page.locator('.dv-groupview').first().waitFor()
        await page.waitForTimeout(250)
      }
      await page.locator('nav[aria-label="Subjects"] button.main', { hasText: subject }).click()
      await facts().waitFor()
      for (let step = 0; step < 3; step++) await page.keyboard.press('j')
    }
    await page.locator('nav[aria-label="Subjects"] button.main', { hasText: SUBJECTS[0] }).click()
    await page.keyboard.press('Home')
    await page.waitForTimeout(1500)
  }

  async function counts() {
    await session.send('HeapProfiler.collectGarbage')
    await session.send('HeapProfiler.collectGarbage')
    const { nodes, jsEventListeners } = await session.send('Memory.getDOMCounters')
    const own = ['WebGL2RenderingContext', 'WebGLTexture', 'WebGLBuffer', 'WebGLFramebuffer', 'ResizeObserver']
    const counted = await Promise.all(own.map(async (name) => [name, await countOf(session, name)] as const))
    return { nodes, jsEventListeners, ...Object.fromEntries(counted) } as Record<string, number>
  }

  test('holds as much after many rounds as after a few', async () => {
    for (let i = 0; i < WARM_ROUNDS; i++) await round()
    const before = await counts()
    expect(before.WebGLTexture).toBeGreaterThan(0)
    for (let i = 0; i < ROUNDS; i++) await round()
    const after = await counts()
    // One view that is kept is hundreds of nodes; what a garbage collection leaves for the next is tens.
    const most = { nodes: 200, jsEventListeners: 40 } as Record<string, number>
    for (const [name, count] of Object.entries(after)) {
      const told = `${name}, from ${before[name]}, after ${ROUNDS} more rounds`
      expect(count, told).toBeLessThanOrEqual(before[name] + (most[name] ?? 2))
    }
    await station.close()
  })
})
