import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createContext, type OwnedContext } from '../../src-main/actions/context.ts'
import { demoSubjectAction } from '../../src-main/actions/demoSubject.ts'
import { experimentAction } from '../../src-main/actions/experiment.ts'
import type { ExperimentResult } from '../../src-main/actions/experiments/result.ts'
import { validateInput } from '../../src-main/actions/validate.ts'
import { openWorkstation, seriousFindings, skipReason, temporaryFolder, type Workstation } from './support.ts'

/** The machine may be busy. */
const soon = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 120_000 })
const quiet = { signal: new AbortController().signal, progress: () => {} }
const minus = (text: string) => text.replace('-', '−')
const brief = ['epochs=3', 'projectorHidden=16', 'width=8', 'encoderSteps=10', 'pictures=false']

describe.skipIf(skipReason)('Insights', { timeout: 300_000 }, () => {
  let ctx: OwnedContext
  let found: ExperimentResult
  let station: Workstation
  let page: Page

  beforeAll(async () => {
    const workspace = join(temporaryFolder(), 'workspace')
    ctx = createContext(() => {})
    const { subject } = await demoSubjectAction.run(
      ctx,
      await validateInput(demoSubjectAction, { workspace, images: 24 }),
      quiet,
    )
    const asked = { name: 'width', workspace, subject, preset: 'small-study', values: '8,16', seeds: 2, set: brief }
    found = await experimentAction.run(ctx, await validateInput(experimentAction, asked), quiet)
    station = await openWorkstation({ workspace })
    page = station.page
    await page.keyboard.press('4')
    await page.locator('.dv-tab', { hasText: 'Insights' }).click()
    await page.locator('.insights').waitFor()
  }, 400_000)
  afterAll(() => ctx?.close())

  const panel = () => page.locator('.insights')
  const shows = () => panel().getByRole('region', { name: 'What it shows' })
  const choice = (role: 'radio' | 'button', name: string) => panel().getByRole(role, { name, exact: true })
  const experiment = (name: string) => choice('radio', name).or(choice('button', name)).click()

  test('a finished experiment is drawn with its figures', async () => {
    const [low, high] = found.points
    for (const { series, x, scores } of found.points) {
      const row = shows().locator(`[data-place="${series} ${x}"]`)
      for (const { mean, ci95 } of Object.values(scores)) {
        await soon(() => row.innerText()).toContain(mean.toFixed(3))
        expect(await row.innerText()).toContain(`[${ci95!.map((end) => minus(end.toFixed(2))).join(', ')}]`)
      }
      // A mark for the mean and one for each seed.
      expect(await panel().locator(`[data-point="${series} ${x}"] :is(.seed, .mean)`).count()).toBe(3)
    }
    for (const { title, measure, difference, shows: shown } of found.contrasts) {
      const row = shows().locator(`[data-contrast="${title}: ${measure}"]`)
      expect(await row.innerText()).toContain(minus(difference.toFixed(3)))
      expect(await row.innerText()).toContain(shown!)
    }
    expect(await shows().innerText()).toContain(found.summary[0])
    expect(await shows().innerText()).toContain(found.conditions.join(' · '))
    expect(await panel().innerText()).toContain(found.claim)
    const chart = panel().locator('svg[role=img]')
    const heights = await chart.locator('.mean').evaluateAll((marks) => marks.map((m) => Number(m.getAttribute('cy'))))
    const [a, b] = [low, high].map(({ scores }) => scores.image.mean)
    expect(Math.sign(heights[0] - heights[1])).toBe(Math.sign(b - a)) // higher is further up
    expect(await chart.locator('[data-test=chance]').textContent()).toContain('chance 0.08')
  })

  test('another measure is drawn from the table, and a place selects the run behind it', async () => {
    const [, other] = found.measures
    await shows().getByRole('button', { name: other.title }).first().click()
    await soon(() => panel().locator('svg[role=img]').getAttribute('aria-label')).toContain(other.title)
    await shows().locator('[data-place="held out 16"] button').click()
    await soon(() => panel().locator('[data-test=selected]').count()).toBe(1)
    const row = shows().locator('[data-place="held out 16"]')
    expect(await row.getAttribute('aria-selected')).toBe('true')
  })

  test('an experiment is started, stopped and gone on with from here', async () => {
    await panel().getByRole('button', { name: 'New …' }).click()
    await panel().getByRole('textbox', { name: 'Seeds' }).fill('1')
    await panel().getByRole('textbox', { name: 'Places on the axis' }).fill('8')
    await panel().getByRole('button', { name: 'Run it' }).click()
    const job = panel().locator('[data-test=job]')
    await soon(() => job.innerText()).toContain('8 units, seed 1')
    await job.getByRole('button', { name: 'Stop' }).click()
    const stopped = panel().locator('[data-test=stopped]')
    await soon(() => stopped.innerText()).toContain('cancelled')
    await stopped.getByRole('button', { name: 'Go on' }).click()
    await soon(() => shows().innerText()).toContain('seeds 1;')
    expect(await shows().locator('[data-place]').count()).toBe(1)
    expect(await panel().getByRole('combobox', { name: 'Asked' }).innerText()).toContain('at 8, 1 seed')
  })

  test('what is wrong is refused before it starts; an experiment that nobody ran says so', async () => {
    await experiment('Mixing')
    await soon(() => panel().innerText()).toContain('Nobody has run it on')
    await panel().getByRole('textbox', { name: 'Seeds' }).fill('none')
    expect(await panel().getByRole('button', { name: 'Run it' }).isDisabled()).toBe(true)
    await experiment('Width')
    await soon(() => shows().locator('[data-place]').count()).toBe(1)
  })

  test.each(['dark', 'light'] as const)('nothing serious for axe, %s', async (theme) => {
    await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme)
    expect(await seriousFindings(page)).toEqual([])
  })

  test('nothing was complained of', () => station.close())
})
