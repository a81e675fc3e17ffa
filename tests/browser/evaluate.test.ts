import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compareAction } from '../../src-main/actions/compare.ts'
import { createContext, type OwnedContext } from '../../src-main/actions/context.ts'
import type { Evaluation } from '../../src-main/actions/evaluate.ts'
import { evaluateAction } from '../../src-main/actions/evaluate.ts'
import { validateInput } from '../../src-main/actions/validate.ts'
import { openSubject } from '../../src-main/subjects/subject.ts'
import { writeReconstructions } from '../support/reconstructions.ts'
import { openWorkstation, seriousFindings, skipReason, temporaryFolder, type Workstation } from './support.ts'
import { trainTwo } from '../support/twoRuns.ts'

/** The machine may be busy. */
const soon = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 120_000 })

/** What the Evaluate place shows is what the actions say. */
const quiet = { signal: new AbortController().signal, progress: () => {} }
const minus = (text: string) => text.replace('-', '−')

describe.skipIf(skipReason)('Evaluate', { timeout: 300_000 }, () => {
  let ctx: OwnedContext
  let workspace: string
  let runs: { mindeye: string; ridge: string }
  let setId: string
  let station: Workstation
  let page: Page

  const evaluate = async (input: Partial<Parameters<typeof evaluateAction.run>[1]>): Promise<Evaluation> =>
    evaluateAction.run(ctx, await validateInput(evaluateAction, { workspace, run: runs.mindeye, ...input }), quiet)

  beforeAll(async () => {
    workspace = join(temporaryFolder(), 'workspace')
    ctx = createContext(() => {})
    const demo = await trainTwo(ctx, workspace, 24)
    runs = demo
    const subject = await openSubject(join(workspace, 'subjects', demo.subject))
    const written = await writeReconstructions(join(workspace, 'runs', runs.mindeye), subject, {
      low: 0.3,
      combined: 0.6,
    })
    setId = written.id
    subject.close()
    await evaluate({})
    await evaluate({ run: runs.ridge })
    station = await openWorkstation({ workspace })
    page = station.page
    await page.keyboard.press('4')
    await page.locator('.tree').waitFor()
  }, 400_000)
  afterAll(() => ctx?.close())

  const row = (key: string) => page.locator(`[data-row="${key}"]`)
  const combined = () => `${runs.mindeye}/${setId}/combined`
  const low = () => `${runs.mindeye}/${setId}/low`
  const inspector = () => page.getByRole('complementary', { name: 'The selection' })
  const region = (name: string) => page.getByRole('region', { name })
  const eye = (name: RegExp) => page.locator('.tree').getByRole('button', { name })

  test('4 goes there; a run is chosen by its eye, and scores are those of `evaluate`', async () => {
    // The newest run is shown at first: the ridge regression, which has no reconstructions.
    await soon(() => page.locator('tbody tr[data-row]:not(.published)').count()).toBe(1)
    await eye(/^Show small-study, combined/).click()
    const { pixcorr, retrieval, missing } = await evaluate({})
    const text = `${pixcorr!.mean.toFixed(3)}`
    await soon(() => row(combined()).innerText()).toContain(text)
    expect(await row(combined()).innerText()).toContain(`[${pixcorr!.ci95.map((x) => minus(x.toFixed(2))).join(', ')}]`)
    expect(await row(combined()).innerText()).toContain(retrieval.image.top1.mean.toFixed(3))
    expect(await row(combined()).innerText()).toMatch(/n 12, pool 12, repeats averaged, split shipped/)
    expect(await row(combined()).locator('td[colspan]').count()).toBe(0)
    // What is missing says why, where the score would be and in the inspector.
    expect(await row(combined()).getByText('no network').count()).toBe(6)
    await soon(() => inspector().locator('[data-test=missing]').innerText()).toContain(missing![0].source)
    expect(await inspector().innerText()).toContain(pixcorr!.version)
  })

  test('the published rows are marked, sorted with ours, and can be hidden', async () => {
    const published = page.locator('tr.published')
    expect(await published.count()).toBe(8)
    expect(await published.first().innerText()).toContain('published')
    const header = page.getByRole('button', { name: 'PixCorr', exact: true })
    await header.click()
    await soon(() => page.locator('tbody tr[data-row]').first().getAttribute('data-row')).toBe(combined())
    expect(await page.locator('th[aria-sort=descending]').innerText()).toContain('PixCorr')
    await header.click()
    await header.click()
    expect(await page.locator('th[aria-sort=descending], th[aria-sort=ascending]').count()).toBe(0)
    await page.getByRole('switch', { name: 'Published rows' }).click()
    await soon(() => published.count()).toBe(0)
    await page.keyboard.press('Control+z')
    await soon(() => published.count()).toBe(8)
  })

  test('a click on a point selects the trial everywhere; J steps on through the reconstructed trials', async () => {
    const point = page.locator('.scatter circle.point').nth(3)
    const trial = await point.getAttribute('data-trial')
    const box = (await point.boundingBox())!
    await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2)
    await soon(() => inspector().locator('h2').first().innerText()).toBe(`Trial ${trial}`)
    const marked = page.locator('.scatter [data-test=selected]')
    expect(await marked.getAttribute('cx')).toBe(await point.getAttribute('cx'))
    const loaded = () =>
      inspector()
        .locator('img')
        .evaluateAll((images) => images.every((i) => (i as HTMLImageElement).naturalWidth > 0))
    await soon(loaded).toBe(true)
    expect(await page.locator('.scatter [data-test=chance]').textContent()).toContain('chance')
    await page.keyboard.press('j')
    await soon(() => inspector().locator('h2').first().innerText()).not.toBe(`Trial ${trial}`)
    await page.keyboard.press('k')
    await soon(() => inspector().locator('h2').first().innerText()).toBe(`Trial ${trial}`)
    // The same trial in the place where it is retrieved.
    await page.keyboard.press('3')
    await soon(() => inspector().locator('h2').first().innerText()).toBe(`Trial ${trial}`)
    await page.keyboard.press('4')
    await soon(() => inspector().locator('h2').first().innerText()).toBe(`Trial ${trial}`)
  })

  test('a kind that nobody has scored is scored from here', async () => {
    await eye(/^Show small-study, low/).click()
    await row(low()).getByRole('button', { name: 'Score it' }).click()
    await soon(() => row(low()).innerText()).toMatch(/\[−?\d\.\d\d, \d\.\d\d\]/)
    const { ssim } = await evaluate({ kind: 'low' })
    expect(await row(low()).innerText()).toContain(ssim!.mean.toFixed(3))
  })

  test('two kinds are compared trial by trial as `compare` says', async () => {
    const { scores } = await compareAction.run(
      ctx,
      await validateInput(compareAction, { workspace, run: runs.mindeye, against: runs.mindeye, againstKind: 'low' }),
      quiet,
    )
    const choose = async (label: string, name: RegExp) => {
      await page.getByRole('combobox', { name: label }).click()
      await page.getByRole('option', { name }).click()
    }
    await choose('First', /combined/)
    await choose('Second', /low/)
    for (const { score, difference, ci95 } of scores) {
      const line = region('Paired tests').locator(`[data-score="${score}"]`)
      await soon(() => line.innerText()).toContain(minus(difference.toFixed(3)))
      await soon(() => line.innerText()).toContain(`[${ci95.map((x) => minus(x.toFixed(3))).join(', ')}]`)
    }
    await soon(() => page.locator('.paired circle.point').count()).toBe(12)
  })

  test('distributions have a strip per row, with chance as a labelled rule', async () => {
    await page.locator('.tab', { hasText: 'Distributions' }).click()
    const strips = region('Distributions').last() // the panel within its tile
    await strips.locator('circle[data-trial]').first().waitFor()
    expect(await strips.locator('circle[data-trial]').count()).toBe(24)
    expect(await strips.locator('[data-test=chance]').count()).toBe(2)
    expect(await strips.textContent()).toMatch(/chance −?\d\.\d\d/)
    const point = strips.locator('circle[data-trial]').last()
    const trial = await point.getAttribute('data-trial')
    await point.click({ force: true })
    await soon(() => inspector().locator('h2').first().innerText()).toBe(`Trial ${trial}`)
    expect(await strips.locator('circle.selected').count()).toBe(2)
  })

  test('the table is copied as CSV and as LaTeX', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    const copied = () => page.evaluate(() => navigator.clipboard.readText())
    await page.getByRole('button', { name: 'Copy as CSV' }).click()
    const { pixcorr } = await evaluate({})
    await soon(copied).toContain(`,${pixcorr!.mean},`)
    await page.getByRole('button', { name: 'Copy as LaTeX' }).click()
    await soon(copied).toContain('\\begin{tabular}')
    expect(await copied()).toContain('MindEye (published)')
  })

  test.each(['dark', 'light'] as const)('nothing serious for axe, %s', async (theme) => {
    await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme)
    expect(await seriousFindings(page)).toEqual([])
  })

  test('nothing was complained of, and an empty workspace has one way on', async () => {
    await station.close()
    const empty = await openWorkstation({ place: 'evaluate' })
    await empty.page.getByRole('button', { name: 'Bring in a subject' }).click()
    await soon(() => empty.page.url()).toContain('/data')
    await empty.close()
  })
})
