import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createContext, type OwnedContext } from '../../src-main/actions/context.ts'
import { importAction } from '../../src-main/actions/import.ts'
import { trainAction } from '../../src-main/actions/train.ts'
import { listSets, readPicture, type Kind } from '../../src-main/reconstruction/sets.ts'
import { figures, writeSmallStudy } from '../subjects/support.ts'
import { openWorkstation, seriousFindings, skipReason, temporaryFolder } from './support.ts'
import type { Workstation } from './support.ts'

/** The machine may be busy. */
const soon = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 120_000 })

const quiet = { signal: new AbortController().signal, progress: () => {} }
const kinds: Kind[] = ['low', 'high', 'combined']
const side = 16
/** Trials: of each of the 12 figures three to train with, and one held out. */
const [TRAIN, TEST] = [36, 12]

describe.skipIf(skipReason)('Reconstruct, of a small study that needs no pack', { timeout: 300_000 }, () => {
  let ctx: OwnedContext
  let workspace: string
  let run: string
  let station: Workstation
  let page: Page

  beforeAll(async () => {
    const folder = temporaryFolder()
    workspace = join(folder, 'workspace')
    ctx = createContext(() => {})
    const shown = (count: number) => Array.from({ length: count }, (_, i) => i % 12)
    const lists = { train: shown(TRAIN), test: shown(TEST) }
    const study = { ...lists, V: 60, side, figures: figures(12, side), signal: 1 }
    await importAction.run(ctx, { workspace, paths: [writeSmallStudy(folder, study).path], as: 'study' }, quiet)
    const set = ['hidden=64', 'projectorHidden=32', 'width=16', 'epochs=12', 'encoderSteps=60']
    const input = { workspace, subject: 'study', preset: 'small-study', split: 'shipped', seed: 42, set } as const
    run = (await trainAction.run(ctx, input, quiet)).run
    station = await openWorkstation({ workspace, place: 'decode' })
    page = station.page
    await page.locator('.dv-tab', { hasText: 'Reconstruct' }).click()
    await page.getByRole('button', { name: 'Reconstruct this trial' }).waitFor()
  }, 300_000)
  afterAll(async () => {
    await ctx?.close()
  })

  const picture = (kind: Kind) =>
    page.getByRole('region', { name: 'Seen and reconstructed' }).locator(`figure[data-kind=${kind}] img`)

  /** Bytes (R, G, B) of the picture that is shown, once it is loaded; none before. */
  const shownPixels = (kind: Kind): Promise<number[]> =>
    picture(kind)
      .evaluate((image: HTMLImageElement) => {
        if (!image.complete || !image.naturalWidth) return []
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight)
        const drawing = canvas.getContext('2d')!
        drawing.drawImage(image, 0, 0)
        const { data } = drawing.getImageData(0, 0, canvas.width, canvas.height)
        return [...data].filter((_, i) => i % 4 < 3)
      })
      .catch(() => [])

  /** What is on disk of a trial, as bytes. */
  function madePixels(trial: number, kind: Kind): number[] {
    const set = listSets(join(workspace, 'runs', run)).find(({ trials }) => trials.includes(trial))
    if (!set) return [-1]
    const { data, height, width } = readPicture(set, trial, kind)
    expect([height, width]).toEqual([side, side])
    return Array.from(data, (value) => Math.round(255 * value))
  }

  test('there is nothing to set where nothing is drawn by lot', async () => {
    expect(await page.getByRole('slider', { name: 'Strength' }).count()).toBe(0)
    expect(await page.getByRole('textbox', { name: /Candidates|Steps|noise/ }).count()).toBe(0)
  })

  test('the three pictures of the selected trial are made, and shown as they are on disk', async () => {
    await page.getByRole('button', { name: 'Reconstruct this trial' }).click()
    await soon(async () => (await shownPixels('combined')).length).toBe(3 * side * side)
    for (const kind of kinds) await soon(() => shownPixels(kind)).toEqual(madePixels(TRAIN, kind))
    expect(await shownPixels('high')).not.toEqual(await shownPixels('low'))
  })

  test('all held-out trials are made at once; stepping shows each with its own', async () => {
    await page.getByRole('button', { name: `All ${TEST} held-out` }).click()
    await soon(() => listSets(join(workspace, 'runs', run))[0].trials.length).toBe(TEST)
    await page.keyboard.press('j')
    for (const kind of kinds) await soon(() => shownPixels(kind)).toEqual(madePixels(TRAIN + 1, kind))
    expect(madePixels(TRAIN + 1, 'combined')).not.toEqual(madePixels(TRAIN, 'combined'))
  })

  test('nothing serious for axe, no complaint on the console', async () => {
    expect(await seriousFindings(page)).toEqual([])
    await station.close()
  })
})
