import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { Workspace } from '../../src-main/workspace/index.ts'
import { parseBatch } from '../../src-renderer/training/batch.ts'
import { figures, quietly, writeSmallStudy } from '../subjects/support.ts'
import {
  engineProcesses,
  openWorkstation,
  seriousFindings,
  skipReason,
  temporaryFolder,
  type Workstation,
} from './support.ts'

/** A MATLAB study of 40 trials as the only subject of a new workspace. */
async function workspaceWithStudy(): Promise<string> {
  const home = temporaryFolder()
  const path = join(home, 'workspace')
  const workspace = Workspace.open(path, { create: true })
  const shown = (count: number) => Array.from({ length: count }, (_, i) => i % 12)
  const study = { train: shown(40), test: shown(6), V: 200, side: 12, figures: figures(12, 12) }
  const staging = workspace.subjects.stage('study')
  await importPaths([writeSmallStudy(home, study).path], { id: 'study', map: {} }, staging.folder, quietly())
  staging.commit()
  workspace.close()
  return path
}

/** Waits as long as a loaded machine may take. */
const until = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 30_000 })

const setOption = async (page: Page, name: string, value: string) => {
  await page.getByLabel('Search options').fill(name)
  await page.locator(`[data-option="${name}"] input`).fill(value)
}
const openTab = (page: Page, title: string) => page.locator('.dv-tab').getByText(title, { exact: true }).click()
const row = (page: Page) => page.locator('tbody tr[data-run]').first()
/** Steps that the status line of the running training tells. */
const stepsDone = async (page: Page): Promise<number> => {
  const text = await page.locator('.status .facts').first().textContent({ timeout: 5000 })
  return Number(/([\d,]+) \/ /.exec(text ?? '')?.[1].replaceAll(',', '') ?? 0)
}
/** Whether anything is drawn on a canvas. */
const isDrawn = (page: Page, selector: string) =>
  page
    .locator(selector)
    .first()
    .evaluate((element) => {
      const canvas = element as HTMLCanvasElement
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
      return new Set(new Uint32Array(data.buffer)).size > 3
    })

// Processes are found in /proc.
describe.skipIf(skipReason ?? process.platform !== 'linux')('the Train place', () => {
  let station: Workstation
  let page: Page
  beforeAll(async () => {
    station = await openWorkstation({ workspace: await workspaceWithStudy(), place: 'train' })
    page = station.page
  })
  afterAll(() => station.close())

  test('a form that says what each option means, what is impossible and what it will need', async () => {
    await setOption(page, 'hidden', '-3')
    const hidden = page.locator('[data-option="hidden"]')
    await hidden.getByRole('alert').filter({ hasText: 'Expected at least 1, found -3' }).waitFor()
    expect(await page.getByRole('button', { name: 'Start training' }).isDisabled()).toBe(true)
    await hidden.getByRole('button', { name: /^Reset hidden/ }).click()
    expect(await hidden.locator('input').inputValue()).toBe('256')
    const needs = page.locator('.estimate')
    await needs.filter({ hasText: /memory .* of .* free/ }).waitFor()
    const before = await needs.textContent()
    await setOption(page, 'hidden', '64')
    await until(() => needs.textContent()).not.toBe(before)
    await page.getByText('40 trials to train, 6 held out').waitFor()
    await needs.filter({ hasText: '6 of 6 held-out trials show a picture that training sees' }).waitFor()
    expect(await seriousFindings(page)).toEqual([])
  })

  test('a training is followed while it runs, through a reload, a killed engine and to its end', async () => {
    for (const [name, value] of [
      ...([
        ['epochs', '1000'],
        ['encoderSteps', '20'],
        ['projectorHidden', '64'],
        ['batchSize', '20'],
      ] as const),
      ...([['checkpointSeconds', '1']] as const),
    ])
      await setOption(page, name, value)
    // What is followed here is one long training; decoding pictures would add shorter ones.
    await page.getByLabel('Search options').fill('pictures')
    await page.locator('[data-option="pictures"]').getByRole('switch').click()
    await page.getByLabel('Search options').fill('')
    await until(() => page.locator('.estimate').textContent()).toContain('steps 2,000')
    await page.getByRole('button', { name: 'Start training' }).click()

    await row(page).getByText('running').waitFor()
    await until(() => stepsDone(page)).toBeGreaterThan(20)
    await page
      .locator('.status .device')
      .filter({ hasText: /TensorFlow|JavaScript/ })
      .waitFor()
    await until(() => isDrawn(page, '.chart canvas')).toBe(true)

    const seen = await stepsDone(page)
    await page.reload()
    await row(page).getByText('running').waitFor()
    await until(() => stepsDone(page)).toBeGreaterThan(seen)
    await until(() => isDrawn(page, '.chart canvas')).toBe(true)
    expect(await page.locator('.chart').count()).toBeGreaterThanOrEqual(5)

    await setTimeout(1500) // time for a checkpoint
    const training = engineProcesses()
    expect(training).toHaveLength(1)
    process.kill(training[0], 'SIGKILL')
    await row(page).getByText('interrupted').waitFor()
    expect(await page.getByText('running').count()).toBe(0)
    await page
      .getByRole('complementary', { name: 'The selection' })
      .getByText('goes on from its last checkpoint')
      .waitFor()

    await row(page).getByRole('button', { name: 'Resume' }).click()
    await row(page).getByText('running').waitFor()
    await until(() => stepsDone(page)).toBeGreaterThan(0)
    await row(page).getByText('done').waitFor({ timeout: 120_000 })
    await row(page).getByText('1000 / 1000').waitFor()
    // Scored by itself, with the size of the pool.
    await row(page).getByText(/of 6/).waitFor({ timeout: 30_000 })
    await openTab(page, 'Log')
    await until(() => page.locator('.leg').count()).toBe(2)
    await page
      .locator('.leg')
      .first()
      .filter({ hasText: 'interrupted' })
      .getByText('the engine process')
      .first()
      .waitFor()
    await openTab(page, 'Runs')
  })

  test('the batch: what is shown under the cursor is what the loss had, and the phase is explained', async () => {
    await openTab(page, 'Batch')
    await page.locator('.now').filter({ hasText: 'SoftCLIP' }).waitFor()
    expect(await isDrawn(page, '.matrix canvas')).toBe(true)
    const id = (await row(page).getAttribute('data-run'))!
    const bytes = await page.evaluate(async (run) => {
      const answer = await fetch(`/api/runs/${run}/batch`)
      return [...new Uint8Array(await answer.arrayBuffer())]
    }, id)
    const batch = parseBatch(Uint8Array.from(bytes).buffer)
    const [at, column] = [3, 7]
    const matrix = page.locator('.matrix').first()
    const { width, height } = (await matrix.boundingBox())!
    const position = { x: ((column + 0.5) * width) / batch.size, y: ((at + 0.5) * height) / batch.size }
    await matrix.hover({ position })
    const text = (value: number) => value.toFixed(3).replace('-', '−')
    const pair = page.locator('.pair')
    await pair.filter({ hasText: `cosine ${text(batch.similarity[at * batch.size + column])}` }).waitFor()
    await pair.filter({ hasText: `target ${text(batch.target[at * batch.size + column])}` }).waitFor()
    await pair.filter({ hasText: `saw stimulus ${batch.facts.stimuli[at]}` }).waitFor()
    // The same cell by keys, for those without a mouse.
    await matrix.focus()
    await matrix.press('ArrowRight')
    await pair.filter({ hasText: `image ${column + 2} is` }).waitFor()
    expect(await seriousFindings(page)).toEqual([])
  })

  test('duplicate, compare, undo, delete', async () => {
    await row(page)
      .getByRole('button', { name: /^Duplicate/ })
      .click()
    await setOption(page, 'epochs', '3')
    await page.keyboard.press('Control+Enter')
    await row(page).getByText('3 / 3').waitFor({ timeout: 60_000 })
    expect(await page.locator('tbody tr[data-run]').count()).toBe(2)
    for (const compare of await page.locator('tbody tr').getByRole('button', { name: 'Compare' }).all())
      await compare.click()
    await openTab(page, 'Compare')
    const different = page.getByRole('region', { name: 'Comparison' }).locator('tr').filter({ hasText: 'epochs' })
    await until(async () => (await different.locator('td').allTextContents()).sort()).toEqual(['1000', '3'])
    expect(await page.getByRole('region', { name: 'Comparison' }).getByText('hidden').count()).toBe(0)
    await page
      .getByText(/n 6, pool 6/)
      .first()
      .waitFor({ timeout: 30_000 })
    expect(await seriousFindings(page)).toEqual([])

    await page.locator('.group-head').first().focus()
    await page.keyboard.press('Control+z')
    await until(() => page.getByRole('region', { name: 'Comparison' }).count()).toBe(0)
    await openTab(page, 'Runs')
    await row(page).getByRole('button', { name: 'Delete' }).click()
    await page
      .getByRole('dialog')
      .getByText(/\d+ files, .*B on disk/)
      .waitFor()
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /^Delete/ })
      .click()
    await until(() => page.locator('tbody tr[data-run]').count()).toBe(1)
  })
})
