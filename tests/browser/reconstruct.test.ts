import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createContext, type OwnedContext } from '../../src-main/actions/context.ts'
import { demoSubjectAction } from '../../src-main/actions/demoSubject.ts'
import { knockOutAction } from '../../src-main/actions/knockOut.ts'
import { packAction } from '../../src-main/actions/pack.ts'
import { trainAction } from '../../src-main/actions/train.ts'
import { findSet, listSets, readTrial } from '../../src-main/reconstruction/sets.ts'
import { tinyPack, writeTinyPack } from '../support/tinyPack.ts'
import { openWorkstation, seriousFindings, skipReason, temporaryFolder } from './support.ts'
import type { Workstation } from './support.ts'

/** The machine may be busy. */
const soon = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 240_000 })

const quiet = { signal: new AbortController().signal, progress: () => {} }
const decimal = (value: number) => value.toFixed(3).replace('-', '−')

describe.skipIf(skipReason)('Decode, Reconstruct', { timeout: 600_000 }, () => {
  let ctx: OwnedContext
  let workspace: string
  let high: string
  let station: Workstation
  let page: Page

  beforeAll(async () => {
    const folder = temporaryFolder()
    workspace = join(folder, 'workspace')
    ctx = createContext(() => {})
    const { subject } = await demoSubjectAction.run(ctx, { workspace, images: 24 }, quiet)
    writeTinyPack(join(folder, 'tiny'))
    await packAction.run(ctx, { do: 'add', target: join(folder, 'tiny'), workspace }, quiet)
    const train = async (preset: 'small-study' | 'paper-low-level', options: object) => {
      const set = Object.entries(options).map(([name, value]) => `${name}=${value}`)
      const input = { workspace, subject, preset, split: 'shipped', seed: 42, pack: 'tiny', set }
      return (await trainAction.run(ctx, input, quiet)).run
    }
    const { tokens, width } = tinyPack
    const ofLow = { hidden: 24, blocks: 1, upsamplerWidth: 32, contrast: false, epochs: 1 }
    await train('paper-low-level', ofLow)
    const ofHigh = {
      ...{ targets: 'clip', tokens, width, hidden: 24, projectorHidden: 32, epochs: 2, items: 'stimulus' },
      ...{ prior: true, priorDepth: 1, priorHeads: 2, priorHeadDim: 8, regressionWeight: 0, batchSize: 8 },
    }
    high = await train('small-study', ofHigh)
    station = await openWorkstation({ workspace, place: 'decode' })
    page = station.page
    // The newest run is shown.
    await page.locator('.dv-tab', { hasText: 'Reconstruct' }).click()
    await page.getByRole('button', { name: 'Reconstruct this trial' }).waitFor()
  }, 600_000)
  afterAll(async () => {
    await ctx?.close()
  })

  const body = () => page.getByRole('region', { name: 'Seen and reconstructed' })
  const figure = (kind: string) => body().locator(`figure[data-kind=${kind}]`)
  const runFolder = () => join(workspace, 'runs', high)
  const shownTrial = async (): Promise<number> =>
    Number(
      /Trial (\d+)/.exec(
        await page.getByRole('complementary', { name: 'The selection' }).locator('h2').innerText(),
      )![1],
    )
  const loaded = (kind: string) => () =>
    figure(kind)
      .locator('img')
      .evaluate((image) => (image as HTMLImageElement).naturalWidth)
      .catch(() => 0)

  test('pictures of the selected trial are made from the view, and shown as they are on disk', async () => {
    await soon(loaded('seen')).toBeGreaterThan(0)
    expect(await figure('combined').innerText()).toContain('not made')
    const samples = page.getByRole('textbox', { name: /Candidates/ })
    await samples.fill('2')
    await samples.press('Enter')
    const steps = page.getByRole('textbox', { name: /Steps/ })
    await steps.fill('6')
    await steps.press('Enter')
    const trial = await shownTrial()
    await page.getByRole('button', { name: 'Reconstruct this trial' }).click()
    await page.getByRole('progressbar', { name: 'Reconstruction' }).waitFor()
    for (const kind of ['low', 'high', 'combined']) await soon(loaded(kind)).toBe(tinyPack.pictureSide)
    await soon(() => page.getByRole('progressbar', { name: 'Reconstruction' }).count()).toBe(0)

    const [set] = listSets(runFolder())
    expect(set.settings).toMatchObject({ samples: 2, steps: 6, strength: 0.85, guidance: 3.5, seed: 42 })
    expect(set.trials).toEqual([trial])
    const { kinds } = readTrial(set, trial)
    for (const kind of ['low', 'high', 'combined'] as const) {
      const { chosen, scores } = kinds[kind]!
      await soon(() => figure(kind).innerText()).toContain(`cosine ${decimal(scores[chosen])}`)
    }
    const frames = await body()
      .locator('figure img')
      .evaluateAll((images) => images.map((image) => getComputedStyle(image).outlineStyle))
    expect(frames).toEqual(['solid', 'dotted', 'solid', 'solid'])
  })

  test('candidates have their scores, the chosen one a tick; a click shows another', async () => {
    const [set] = listSets(runFolder())
    const { chosen, scores } = readTrial(set, set.trials[0]).kinds.high!
    const tiles = page.getByRole('group', { name: 'Candidates, High level' }).getByRole('button')
    expect(await tiles.count()).toBe(2)
    expect(await tiles.nth(chosen).getAttribute('aria-label')).toContain('chosen')
    const other = 1 - chosen
    await tiles.nth(other).click()
    await soon(() => figure('high').innerText()).toContain(`cosine ${decimal(scores[other])}`)
    expect(await figure('high').locator('img').getAttribute('src')).toContain(`candidate=${other}`)
  })

  test('Space holds the seen picture over the others', async () => {
    const picture = body().locator('figure img').nth(3)
    const before = await picture.getAttribute('src')
    await body().focus()
    await page.keyboard.down('Space')
    await soon(() => picture.getAttribute('src')).toContain('/stimuli/')
    await page.keyboard.up('Space')
    await soon(() => picture.getAttribute('src')).toBe(before)
  })

  test('the selection is followed: another trial has no pictures yet, and the first has them again', async () => {
    const first = await shownTrial()
    await page.keyboard.press('j')
    await soon(shownTrial).not.toBe(first)
    await soon(() => figure('combined').innerText()).toContain('not made')
    await page.keyboard.press('k')
    await soon(loaded('combined')).toBe(tinyPack.pictureSide)
  })

  test('areas are switched off: rank and similarity are what the action says; a picture without them is made', async () => {
    await page.locator('.dv-tab', { hasText: 'ROI knock-out' }).click()
    const areas = page.getByRole('region', { name: 'Areas' })
    const first = areas.getByRole('switch').first()
    const name = (await areas.locator('label').first().innerText()).replace(/ \(.*/, '')
    await first.click()
    const trial = await shownTrial()
    const said = await knockOutAction.run(ctx, { workspace, run: high, trial, without: [name] }, quiet)
    const rows = page.getByRole('region', { name: 'What is still found' }).locator('tbody tr')
    await soon(() => rows.count()).toBe(2)
    const cells = async (row: number) => (await rows.nth(row).locator('td').allInnerTexts()).slice(1, 3)
    expect(await cells(0)).toEqual([`${said.all.rank}`, decimal(said.all.similarity)])
    expect(await cells(1)).toEqual([`${said.without.rank}`, decimal(said.without.similarity)])

    await page.getByRole('button', { name: 'Picture without them' }).click()
    const made = page.getByRole('img', { name: 'reconstruction, without them' })
    await soon(() => made.count()).toBe(1)
    const set = listSets(runFolder()).find(({ settings }) => settings.without !== undefined)!
    expect(set.settings.without).toEqual([name])
    expect(await made.getAttribute('src')).toContain(set.id)
    expect(findSet(runFolder(), set.id).trials).toEqual([trial])

    await page.keyboard.press('1')
    await page.locator('dl.facts').first().waitFor()
    await page.keyboard.press('3')
    await page.locator('.dv-tab', { hasText: 'ROI knock-out' }).click()
    await soon(() => first.getAttribute('aria-checked')).toBe('false')
    await first.click()
  })

  test('nothing serious for axe, no complaint on the console', async () => {
    expect(await seriousFindings(page)).toEqual([])
    await station.close()
  })
})
