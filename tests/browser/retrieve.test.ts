import * as fs from 'node:fs'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createContext, type OwnedContext } from '../../src-main/actions/context.ts'
import { evaluateAction } from '../../src-main/actions/evaluate.ts'
import type { Retrieved } from '../../src-main/actions/retrieve.ts'
import { retrieveAction } from '../../src-main/actions/retrieve.ts'
import { encodePng } from '../../src-main/formats/images.ts'
import { openSubject, type Subject } from '../../src-main/subjects/subject.ts'
import { dropFiles, openWorkstation, seriousFindings, skipReason, temporaryFolder } from './support.ts'
import type { Workstation } from './support.ts'
import { trainTwo } from '../support/twoRuns.ts'

/** The machine may be busy. */
const soon = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 30_000 })

/** What the Decode place shows is what the actions say. */
const quiet = { signal: new AbortController().signal, progress: () => {} }

describe.skipIf(skipReason)('Decode, Retrieve', () => {
  let ctx: OwnedContext
  let workspace: string
  let run: string
  let subject: Subject
  let station: Workstation
  let page: Page

  const retrieve = (input: Partial<Parameters<typeof retrieveAction.run>[1]>): Promise<Retrieved> =>
    retrieveAction.run(ctx, { workspace, run, top: 24, direction: 'image', seed: 42, ...input }, quiet)

  beforeAll(async () => {
    workspace = join(temporaryFolder(), 'workspace')
    ctx = createContext(() => {})
    const demo = await trainTwo(ctx, workspace, 36)
    run = demo.mindeye
    subject = await openSubject(join(workspace, 'subjects', demo.subject))
    station = await openWorkstation({ workspace, place: 'decode' })
    page = station.page
    await page
      .locator('.decode-tree')
      .getByRole('button', { name: /^small-study/ })
      .click()
    await page.locator('[data-test=rank]').waitFor()
  })
  afterAll(async () => {
    subject?.close()
    await ctx?.close()
  })

  const found = () => page.getByRole('region', { name: 'What it finds' }).first()
  const tiles = () => found().locator('.tile')
  const rank = () => page.locator('[data-test=rank]')
  /** The trial that the inspector shows, which follows the one selection. */
  const shownTrial = async (): Promise<number> =>
    Number(
      /Trial (\d+)/.exec(
        await page.getByRole('complementary', { name: 'The selection' }).locator('h2').innerText(),
      )![1],
    )
  const stimulusOf = async (tile: Locator): Promise<string> =>
    subject.stimuli.ids[Number(await tile.getAttribute('data-key'))]

  /** Compares the panel with what the action says of the shown trial. */
  async function agreesWith(retrieved: Retrieved): Promise<void> {
    const trial = await shownTrial()
    const wanted = retrieved.trials.find((one) => one.trial === trial)!
    await soon(() => rank().innerText()).toMatch(new RegExp(`^${wanted.rank}\\s+of ${retrieved.pool}$`))
    await soon(() => tiles().count()).toBeGreaterThanOrEqual(Math.min(24, retrieved.pool))
    const best = wanted.found.slice(0, 24)
    // Ranks may agree by chance before the new answers are there.
    const shown = async () => (await Promise.all((await tiles().all()).map(stimulusOf))).slice(0, best.length)
    await soon(shown).toEqual(best.map(({ stimulus }) => stimulus))
    for (const [place, one] of best.entries()) {
      const tile = tiles().nth(place)
      expect(await tile.locator('.similarity').innerText()).toBe(one.similarity.toFixed(3).replace('-', '−'))
      expect(await tile.locator('.right').count()).toBe(one.correct ? 1 : 0)
    }
  }

  test('shows for the selected trial what `retrieve` says, the right one marked', async () => {
    await agreesWith(await retrieve({}))
    expect(await found().locator('.right').first().innerText()).toContain('right one')
    const loaded = () =>
      page
        .locator('.query img, .tile img')
        .evaluateAll((images) => images.every((i) => (i as HTMLImageElement).naturalWidth > 0))
    await soon(loaded).toBe(true)
  })

  test('J and K step through the held-out trials, and every view follows', async () => {
    const { trials } = await retrieve({})
    const first = await shownTrial()
    const at = trials.findIndex(({ trial }) => trial === first)
    await page.keyboard.press('j')
    await soon(shownTrial).toBe(trials[at + 1].trial)
    await agreesWith(await retrieve({}))
    const selected = page.locator('.cell[aria-pressed=true]')
    expect(await selected.getAttribute('data-trial')).toBe(String(trials[at + 1].trial))
    await soon(() => page.locator('.box .readout').innerText()).toContain(`pattern of trial ${trials[at + 1].trial}`)
    await page.waitForTimeout(700) // steps that follow each other faster are one for undo
    await page.keyboard.press('k')
    await soon(shownTrial).toBe(first)
    // Undo brings the trial back, in every view.
    await page.keyboard.press('Control+z')
    await soon(shownTrial).toBe(trials[at + 1].trial)
  })

  test('the other direction asks for the brain pattern', async () => {
    await page.keyboard.press('d')
    await soon(() => page.locator('figcaption').innerText()).toContain('the pattern of this image')
    const retrieved = await retrieve({ direction: 'brain' })
    await agreesWith(retrieved)
    await page.keyboard.press('d')
    await agreesWith(await retrieve({}))
  })

  test('a smaller pool is drawn as the action draws it, by its seed', async () => {
    const pool = page.getByRole('textbox', { name: 'Pool size' })
    await pool.fill('5')
    await pool.press('Enter')
    await page.getByRole('textbox', { name: 'Seed of the pool' }).waitFor()
    await agreesWith(await retrieve({ pool: 5 }))
    const seed = page.getByRole('textbox', { name: 'Seed of the pool' })
    await seed.fill('7')
    await seed.press('Enter')
    await agreesWith(await retrieve({ pool: 5, seed: 7 }))
    const { retrieval } = await evaluateAction.run(
      ctx,
      { workspace, run, kind: 'none', top: '1,5', seed: 7, pool: 5 },
      quiet,
    )
    await soon(() => page.locator('[data-test=scores]').innerText()).toContain(retrieval.image.top1.mean.toFixed(3))
    await pool.fill('1000')
    await pool.press('Enter')
    expect(await pool.inputValue()).toBe('5') // there are not so many
    await pool.fill('12')
    await pool.press('Enter')
    await agreesWith(await retrieve({}))
  })

  test('single trials have patterns of their own', async () => {
    await page
      .getByRole('radio', { name: 'Single' })
      .or(page.getByRole('button', { name: 'Single' }))
      .first()
      .click()
    const single = await retrieve({ repeats: 'single' })
    await soon(() => page.locator('.tab').first().innerText()).toContain(`n = ${single.trials.length} single`)
    await agreesWith(single)
    await page
      .getByRole('radio', { name: 'Averaged' })
      .or(page.getByRole('button', { name: 'Averaged' }))
      .first()
      .click()
    await agreesWith(await retrieve({}))
  })

  test('candidates are stepped with brackets; Space holds the picked one over the stimulus', async () => {
    await page.locator('.found').focus()
    const pressed = (place: number) => tiles().nth(place).getAttribute('aria-pressed')
    for (let place = 1; place <= 3; place++) {
      await page.keyboard.press(']')
      await soon(() => pressed(place)).toBe('true')
    }
    await page.keyboard.press('[')
    await soon(() => pressed(2)).toBe('true')
    // Another picture than the stimulus, or nothing could be seen of it.
    const place = (await tiles().nth(2).locator('.right').count()) ? 3 : 2
    await tiles().nth(place).click()
    const picture = page.locator('figure img')
    const before = await picture.getAttribute('src')
    await page.keyboard.down('Space')
    await soon(() => picture.getAttribute('src')).not.toBe(before)
    expect(await picture.getAttribute('src')).toContain(
      `/stimuli/${await tiles().nth(place).getAttribute('data-key')}.png`,
    )
    await page.keyboard.up('Space')
    await soon(() => picture.getAttribute('src')).toBe(before)
  })

  test('the grid of all trials sorts by rank and filters; a click selects', async () => {
    const { trials } = await retrieve({})
    const cells = page.locator('.cell')
    const ranks = async () => (await cells.locator('.rank').allInnerTexts()).map(Number)
    const worst = page.getByRole('radio', { name: 'Worst first' }).or(page.getByRole('button', { name: 'Worst first' }))
    await worst.first().click()
    await soon(async () => (await ranks())[0]).toBe(Math.max(...trials.map(({ rank: place }) => place!)))
    const shown = await ranks()
    expect(shown).toEqual([...shown].sort((a, b) => b - a))
    const hits = page.getByRole('radio', { name: 'Hits' }).or(page.getByRole('button', { name: 'Hits' }))
    await hits.first().click()
    const expected = trials.filter(({ rank: place }) => place! < 2).length
    await soon(() => page.locator('.head .caption').filter({ hasText: 'shown' }).innerText()).toContain(
      `${expected} shown`,
    )
    if (expected) {
      const trial = Number(await cells.first().getAttribute('data-trial'))
      await cells.first().click()
      await soon(shownTrial).toBe(trial)
    }
  })

  test('the map is drawn, in both layouts, and a click on a point selects its trial', async () => {
    const canvas = page.locator('.box canvas')
    for (const method of ['UMAP', 'PCA']) {
      await page
        .getByRole('radio', { name: method })
        .or(page.getByRole('button', { name: method }))
        .first()
        .click()
      await soon(() => page.locator('.axis.x').innerText()).toContain(method === 'PCA' ? 'PC 1' : 'UMAP 1')
      const colours = await canvas.evaluate((element) => {
        const { width, height } = element as HTMLCanvasElement
        const { data } = (element as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height)
        return new Set(new Uint32Array(data.buffer)).size
      })
      expect(colours).toBeGreaterThan(10)
    }
    const before = await shownTrial()
    // Places where a pattern's colour is on the canvas.
    const places = await canvas.evaluate((element) => {
      const { width, height, clientWidth } = element as HTMLCanvasElement
      const { data } = (element as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height)
      const colour = getComputedStyle(element).getPropertyValue('--series-1').trim()
      const wanted = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
      const found: { x: number; y: number }[] = []
      for (let at = 0; at < width * height; at++)
        if (wanted.every((value, channel) => Math.abs(data[4 * at + channel] - value) < 4))
          found.push({ x: ((at % width) * clientWidth) / width, y: (Math.floor(at / width) * clientWidth) / width })
      return found
    })
    expect(places.length).toBeGreaterThan(50)
    const search = async () => {
      for (let at = 0; at < places.length; at += 8) {
        await canvas.hover({ position: places[at] })
        const trial = /pattern of trial (\d+)/.exec(await page.locator('.box .readout').innerText())?.[1]
        if (trial === undefined || Number(trial) === before) continue
        await canvas.click({ position: places[at] })
        return Number(trial)
      }
      throw new Error('no other point')
    }
    const picked = await search()
    await soon(shownTrial).toBe(picked)
  })

  test('a dropped folder becomes a gallery that is retrieved from; of the very image there is a rank', async () => {
    const folder = temporaryFolder()
    const files = await Promise.all(
      [...subject.stimuli.ids.keys()].map(async (index) => {
        const path = join(folder, `${subject.stimuli.ids[index]}.png`)
        fs.writeFileSync(path, await encodePng(subject.readImages([index])))
        return { name: `mine/${subject.stimuli.ids[index]}.png`, path }
      }),
    )
    await dropFiles(page, files, '.decode-tree .add')
    await page.getByRole('button', { name: 'Retrieve from it' }).click({ timeout: 60_000 })
    await soon(() => page.locator('.gallery-state').innerText()).toContain('the very image of 12')
    const wanted = await retrieve({ gallery: 'mine' })
    const trial = await shownTrial()
    const own = wanted.trials.find((one) => one.trial === trial)!
    const place = own.rank === undefined ? 'none' : `${own.rank}`
    await soon(() => rank().innerText()).toContain(place)
    expect(await tiles().first().getAttribute('aria-label')).toContain(own.found[0].stimulus)
    await page.getByText('Gallery', { exact: true }).first().click()
    await soon(() => page.locator('.thumb').count()).toBeGreaterThan(10)
  })

  test('nothing serious for axe, no complaint on the console', async () => {
    expect(await seriousFindings(page)).toEqual([])
    await station.close()
  })
})
