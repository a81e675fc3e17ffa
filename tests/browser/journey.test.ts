import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { simulate } from '../../src-main/subjects/simulator/simulate.ts'
import { figures, quietly, writeSmallStudy } from '../subjects/support.ts'
import {
  dropFiles,
  engineProcesses,
  filesOf,
  openWorkstation,
  seriousFindings,
  skipReason,
  temporaryFolder,
  type Workstation,
} from './support.ts'

/** From nothing to a brain pattern's image, in one sitting and one workspace, as somebody new would. */
describe.skipIf(skipReason ?? process.platform !== 'linux')('a first hour with the workstation', () => {
  let station: Workstation
  let page: Page
  const files = temporaryFolder()
  const subjects = () => page.getByRole('navigation', { name: 'Subjects' })
  const sheet = () => page.getByRole('region', { name: 'Import' })
  const place = (name: string) =>
    page.getByRole('navigation', { name: 'Places' }).getByLabel(name, { exact: true }).click()
  const run = () => page.locator('tbody tr[data-run]').first()

  beforeAll(async () => {
    station = await openWorkstation()
    page = station.page
  })
  afterAll(() => station.close())

  test('an empty workspace offers the demo subject, in one click', async () => {
    await page.getByRole('button', { name: 'Create the demo subject' }).click()
    await page.getByRole('progressbar').first().waitFor()
    await subjects().getByText('simulated-600').waitFor({ timeout: 120_000 })
    await page.locator('dl.facts').getByText('2,100').waitFor()
  })

  test('a .mat and a webdataset are imported by dropping them; a wrong file is named and left', async () => {
    const shown = (count: number) => Array.from({ length: count }, (_, i) => i % 12)
    const study = { train: shown(40), test: shown(6), V: 200, side: 12, figures: figures(12, 12) }
    const { path: mat } = writeSmallStudy(files, study)
    await dropFiles(page, [{ name: 'study.mat', path: mat }])
    await sheet().getByRole('button', { name: 'Import', exact: true, disabled: false }).click()
    await subjects().getByText('study').waitFor()

    const simulated = join(files, 'sim')
    await simulate({ out: simulated, subjects: 1, images: 12, layout: 'webdataset', seed: 3, imageSize: 32 }, quietly())
    await dropFiles(page, filesOf(join(simulated, 'subj01'), 'subj01'))
    await sheet().getByRole('button', { name: 'Import', exact: true, disabled: false }).click({ timeout: 60_000 })
    await subjects().getByText('subj01').waitFor({ timeout: 60_000 })

    writeFileSync(join(files, 'notes.docx'), 'words and no brain')
    await dropFiles(page, [{ name: 'notes.docx', path: join(files, 'notes.docx') }])
    await sheet().getByText('not recognised').waitFor()
    await sheet().getByRole('button', { name: 'Remove from this list' }).first().click()
    await expect.poll(() => subjects().locator('li').count()).toBe(3)
    expect(await seriousFindings(page)).toEqual([])
  })

  test('a training is followed live, through a reload and a killed engine, to its end', async () => {
    await subjects().getByText('study').click()
    await place('Train')
    for (const [name, value] of [
      ['hidden', '64'],
      ['projectorHidden', '64'],
      ['epochs', '240'],
      ['encoderSteps', '20'],
      ['checkpointSeconds', '1'],
    ]) {
      await page.getByLabel('Search options').fill(name)
      await page.locator(`[data-option="${name}"] input`).fill(value)
    }
    await page.getByRole('button', { name: 'Start training' }).click()
    await run().getByText('running').waitFor()
    const steps = async () => {
      const text = await page.locator('.status .facts').first().textContent()
      return Number(/([\d,]+) \/ /.exec(text ?? '')?.[1].replaceAll(',', '') ?? 0)
    }
    await expect.poll(steps, { timeout: 60_000 }).toBeGreaterThan(10)
    const before = await steps()
    await page.reload()
    await expect.poll(steps, { timeout: 60_000 }).toBeGreaterThan(before)
    await page.waitForTimeout(1500) // time for a checkpoint
    const [engine] = engineProcesses()
    process.kill(engine, 'SIGKILL')
    await run().getByText('interrupted').waitFor()
    expect(await page.getByText('running').count()).toBe(0)
    await run().getByRole('button', { name: 'Resume' }).click()
    await run().getByText('running').waitFor()
    await run().getByText('done').waitFor({ timeout: 170_000 })
    expect(await seriousFindings(page)).toEqual([])
  })

  test('what each held-out trial retrieves', async () => {
    await place('Decode')
    await page.getByRole('region', { name: 'What it finds' }).first().waitFor({ timeout: 60_000 })
    await page.keyboard.press('j')
    await page.getByText('Rank of the right one').first().waitFor()
    await page.getByText(/of 6/).first().waitFor()
    expect(await seriousFindings(page)).toEqual([])
  })

  test('a click on the cortex selects a voxel, and what is read out is what the data say', async () => {
    await place('Data')
    await subjects().getByText('simulated-600').click()
    const canvas = page.locator('canvas.cortex')
    await canvas.waitFor()
    const isColourful = async () => {
      const { data, info } = await sharp(await canvas.screenshot())
        .raw()
        .toBuffer({ resolveWithObject: true })
      const colours = new Set<number>()
      for (let at = 0; at < data.length; at += info.channels) colours.add(data.readUIntBE(at, 3))
      return colours.size > 50
    }
    await expect.poll(isColourful, { timeout: 60_000, interval: 1000 }).toBe(true)
    const readout = page.getByTestId('brain-readout')
    const { width, height } = (await canvas.boundingBox())!
    const voxel = async () => {
      const text = (await readout.count()) ? await readout.innerText() : ''
      return Number(/Voxel\s+([\d,]+)/.exec(text)?.[1].replaceAll(',', '') ?? NaN)
    }
    // Somewhere on the back of the brain there is visual cortex.
    await expect
      .poll(
        async () => {
          for (const [x, y] of spiral()) {
            await canvas.click({ position: { x: width * x, y: height * y } })
            if (Number.isFinite(await voxel())) return true
          }
          return false
        },
        { timeout: 60_000, interval: 500 },
      )
      .toBe(true)
    await page.mouse.move(2, 2)
    await readout.getByText('Selected').waitFor()
    const values = await page.evaluate(async () => {
      const answer = await fetch('/api/brain/simulated-600/map/noise-ceiling')
      return [...new Float32Array(await answer.arrayBuffer())]
    })
    // The readout follows the picture by a frame; then number and voxel must belong together.
    await expect
      .poll(async () => {
        const value = values[await voxel()]
        const text = await readout.locator('dd.value').innerText()
        return Number.isFinite(value) && text.startsWith(value.toLocaleString('en', { maximumSignificantDigits: 4 }))
      })
      .toBe(true)
    // Its pixel has the colour of that number: brain.test.ts, vertex by vertex.
    expect(await seriousFindings(page)).toEqual([])
  })
})

/** Places of a picture, shares of its sides, from the middle outwards. */
function spiral(): [number, number][] {
  return Array.from({ length: 60 }, (_, i) => {
    const [angle, radius] = [i * 2.4, 0.045 * Math.sqrt(i)]
    return [0.5 + radius * Math.cos(angle), 0.45 + radius * Math.sin(angle)]
  })
}
