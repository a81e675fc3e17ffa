import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createContext, type OwnedContext } from '../../src-main/actions/context.ts'
import { importAction } from '../../src-main/actions/import.ts'
import { trainAction } from '../../src-main/actions/train.ts'
import { validateInput } from '../../src-main/actions/validate.ts'
import type { FigureDocument } from '../../src-main/figures/document.ts'
import { openSubject } from '../../src-main/subjects/subject.ts'
import { writeReconstructions } from '../support/reconstructions.ts'
import { figures, writeSmallStudy } from '../subjects/support.ts'
import { openWorkstation, seriousFindings, skipReason, temporaryFolder, type Workstation } from './support.ts'

/** The machine may be busy. */
const soon = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 60_000 })
const quiet = { signal: new AbortController().signal, progress: () => {} }

describe.skipIf(skipReason)('Figures', { timeout: 300_000 }, () => {
  let ctx: OwnedContext
  let workspace: string
  let station: Workstation
  let page: Page

  beforeAll(async () => {
    const base = temporaryFolder()
    workspace = join(base, 'workspace')
    ctx = createContext(() => {})
    const shown = (count: number) => Array.from({ length: count }, (_, i) => i % 8)
    const study = { train: shown(24), test: shown(8), V: 24, side: 16, figures: figures(8, 16) }
    const paths = [writeSmallStudy(base, study).path]
    await importAction.run(ctx, await validateInput(importAction, { workspace, paths, as: 's' }), quiet)
    const set = ['epochs=4', 'hidden=24', 'projectorHidden=32', 'encoderSteps=20', 'encoderPixels=8', 'pictures=false']
    const training = { workspace, subject: 's', preset: 'small-study', split: 'shipped', set }
    const { run } = await trainAction.run(ctx, await validateInput(trainAction, training), quiet)
    const subject = await openSubject(join(workspace, 'subjects', 's'))
    await writeReconstructions(join(workspace, 'runs', run), subject, { low: 0.5, combined: 0.8 })
    subject.close()
    station = await openWorkstation({ workspace, place: 'decode' })
    page = station.page
  }, 400_000)
  afterAll(() => ctx?.close())

  const sheet = () => page.locator('.sheet')
  const panels = () => sheet().locator('[data-panel]')
  const order = () => panels().evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset.panel))
  const finding = (check: string) => page.locator(`[data-check=${check}]`)
  const tab = (name: string) => page.locator('.tab', { hasText: name }).first()
  const choose = async (label: string, name: RegExp) => {
    await page.getByRole('combobox', { name: label, exact: true }).click()
    await page.getByRole('option', { name }).click()
  }
  const kept = () => JSON.parse(readFileSync(join(workspace, 'figures', 'figure.json'), 'utf8')) as FigureDocument

  test('Ctrl+E sends the panel of any view to a page', async () => {
    await tab('All trials').click()
    await soon(() => tab('All trials').innerText()).toContain('n = 8')
    await page.keyboard.press('Control+e')
    await page.getByText('Retrieved images is on the page').waitFor()
    await page.keyboard.press('2')
    await tab('Curves').click()
    await page.keyboard.press('Control+e')
    await page.getByText('Training is on the page').waitFor()
    await page.keyboard.press('4')
    await page.locator('tbody tr[data-row]:not(.published)').first().waitFor()
    await tab('Scores').click()
    await page.keyboard.press('Control+e')
    await page.getByText('Scores is on the page').waitFor()
    await page.keyboard.press('5')
    await soon(order).toEqual(['retrieval', 'training', 'scores'])
    await soon(() => existsSync(join(workspace, 'figures', 'figure.json')) && kept().panels.length).toBe(3)
    await soon(() =>
      sheet()
        .locator('img')
        .evaluate((img) => (img as HTMLImageElement).naturalWidth),
    ).toBeGreaterThan(0)
  })

  test('another journal is another layout; what it has against the page is mended', async () => {
    await choose('Width', /single/)
    await soon(() => finding('cut').getAttribute('data-state')).toBe('problem')
    const exporting = page.getByRole('button', { name: 'Export' })
    expect(await exporting.getAttribute('class')).not.toContain('primary')
    await finding('cut').getByRole('button', { name: 'Go to panel' }).first().click()
    const culprit = panels().and(page.locator('[aria-pressed=true]'))
    expect(['training', 'scores']).toContain(await culprit.getAttribute('data-panel'))
    for (const id of ['training', 'scores']) {
      await sheet().locator(`[data-panel=${id}]`).click()
      await choose('Width in columns', /^12 of 12/)
      await soon(() => kept().panels.find((panel) => panel.id === id)?.columns).toBe(12)
    }
    await soon(() => finding('cut').getAttribute('data-state')).toBe('ok')
    await soon(() => exporting.getAttribute('class')).toContain('primary')
    await choose('Journal', /^PLOS/)
    await soon(() => finding('file').getAttribute('data-state')).toBe('problem') // PLOS takes no PDF
    await page
      .getByRole('radio', { name: 'TIFF' })
      .or(page.getByRole('button', { name: 'TIFF' }))
      .first()
      .click()
    await soon(() => finding('file').getAttribute('data-state')).toBe('ok')
    await choose('Journal', /^Nature/)
    await choose('Width', /double/)
  })

  test('panels change places by keyboard and by mouse, and undo brings them back', async () => {
    await sheet().locator('[data-panel=scores]').click()
    await page.keyboard.press('Alt+ArrowLeft')
    await soon(order).toEqual(['retrieval', 'scores', 'training'])
    await page.keyboard.press('Control+z')
    await soon(order).toEqual(['retrieval', 'training', 'scores'])
    await page.keyboard.press('Control+y')
    await soon(order).toEqual(['retrieval', 'scores', 'training'])
    await page.waitForTimeout(700) // rapid changes of one value are one step
    const [from, to] = await Promise.all(
      ['training', 'retrieval'].map((id) => sheet().locator(`[data-panel=${id}]`).boundingBox()),
    )
    await page.mouse.move(from!.x + 20, from!.y + 20)
    await page.mouse.down()
    await page.mouse.move(to!.x + 30, to!.y + 10, { steps: 4 })
    await page.mouse.up()
    await soon(order).toEqual(['training', 'retrieval', 'scores'])
    await page.keyboard.press('Control+z')
    await soon(order).toEqual(['retrieval', 'scores', 'training'])
  })

  test('a frozen panel says that it is', async () => {
    await sheet().locator('[data-panel=retrieval]').click()
    await page.getByRole('button', { name: 'Freeze' }).click()
    await page.getByRole('button', { name: 'Follow the run again' }).waitFor()
    await soon(() => kept().panels[0].frozen?.data).toMatch(/^[0-9a-f]{16}$/)
  })

  test('the export is what the screen shows', async () => {
    await page.getByRole('region', { name: 'The page' }).click({ position: { x: 4, y: 4 } }) // nothing selected
    await page
      .getByRole('radio', { name: 'PNG' })
      .or(page.getByRole('button', { name: 'PNG' }))
      .first()
      .click()
    await page.locator('.sheet:not(.old)').waitFor()
    const downloaded = page.waitForEvent('download')
    await page.keyboard.press('Control+Shift+E')
    const files = unzipSync(readFileSync((await (await downloaded).path())!))
    expect(Object.keys(files).sort()).toEqual([
      'Figure.png',
      'Figure.provenance.json',
      'Figure.retrieval.csv',
      'Figure.scores.csv',
      'Figure.training.csv',
    ])
    const pixels = (bytes: Uint8Array, size: { width: number; height: number }) =>
      sharp(bytes)
        .resize({ ...size, fit: 'fill' })
        .removeAlpha()
        .raw()
        .toBuffer()
    // As Chromium draws the page's picture, at a whole number of pixels.
    const size = await sharp(files['Figure.png'])
      .metadata()
      .then(({ width, height }) => ({ width, height }))
    const drawn = await sheet()
      .locator('img')
      .evaluate((img, { width, height }) => {
        const canvas = Object.assign(document.createElement('canvas'), { width, height })
        canvas.getContext('2d')!.drawImage(img as HTMLImageElement, 0, 0, width, height)
        return canvas.toDataURL().split(',')[1]
      }, size)
    const half = { width: size.width >> 1, height: size.height >> 1 }
    const [a, b] = await Promise.all([pixels(Buffer.from(drawn, 'base64'), half), pixels(files['Figure.png'], half)])
    const differences = Array.from(a, (value, i) => Math.abs(value - b[i]))
    expect(differences.reduce((sum, value) => sum + value, 0) / a.length).toBeLessThan(1)
    expect(differences.filter((value) => value > 96).length / a.length).toBeLessThan(0.002)
  })

  test('a page is made of a run at once, and its PDF has live text', async () => {
    await page.getByRole('button', { name: 'Decoding overview' }).click()
    await soon(order).toEqual(['reconstruction', 'retrieval', 'scores', 'ranks', 'training'])
    await page
      .getByRole('radio', { name: 'PDF' })
      .or(page.getByRole('button', { name: 'PDF' }))
      .first()
      .click()
    await page.locator('.sheet:not(.old)').waitFor()
    const downloaded = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export' }).click()
    const files = unzipSync(readFileSync((await (await downloaded).path())!))
    const name = Object.keys(files).find((file) => file.endsWith('.pdf'))!
    expect(Buffer.from(files[name].subarray(0, 5)).toString()).toBe('%PDF-')
    if (spawnSync('pdftotext', ['-v']).status !== 0) return console.warn('its text is not looked at: no pdftotext')
    const path = join(workspace, 'overview.pdf')
    writeFileSync(path, files[name])
    expect(execFileSync('pdftotext', [path, '-'], { encoding: 'utf8' })).toContain('Seen and reconstructed')
  })

  test.each(['dark', 'light'] as const)('nothing serious for axe, %s', async (theme) => {
    await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme)
    expect(await seriousFindings(page)).toEqual([])
  })

  test('nothing was complained of', () => station.close())
})
