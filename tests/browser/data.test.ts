import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { encodeNpy } from '../../src-main/formats/npy.ts'
import { inspectPaths } from '../../src-main/subjects/importer.ts'
import { simulate } from '../../src-main/subjects/simulator/simulate.ts'
import { readManifest, readSubjectArray } from '../../src-main/subjects/subject.ts'
import { array, colours, figures, noise, quietly, writeSmallStudy } from '../subjects/support.ts'
import { dropFiles, filesOf, openWorkstation, seriousFindings, skipReason, temporaryFolder } from './support.ts'

type File = { name: string; path: string }

/** 28 x 28 figures, each of 5 shown twice in train and once in test. */
function smallStudy(name: string): File {
  const folder = temporaryFolder()
  const train = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
  const { path } = writeSmallStudy(folder, {
    train,
    test: [5, 6, 7],
    V: 12,
    side: 28,
    figures: figures(8, 28),
    bytes: true,
  })
  return { name, path }
}

const sheet = (page: Page) => page.getByRole('region', { name: 'Import' })
const fact = (page: Page, name: string) =>
  page.locator('.facts > div', { has: page.getByText(name, { exact: true }) }).locator('.value')
/** Chooses a subject and waits until its facts are there. */
async function goTo(page: Page, id: string, voxels: number): Promise<void> {
  await page.getByRole('navigation', { name: 'Subjects' }).getByText(id).click()
  await expect.poll(() => fact(page, 'Voxels').innerText(), { timeout: 20_000 }).toBe(thousands(voxels))
}
const thousands = (n: number) => n.toLocaleString('en')

describe.skipIf(skipReason)('Data', () => {
  let simulated: string
  beforeAll(async () => {
    simulated = join(temporaryFolder(), 'sim')
    await simulate({ out: simulated, subjects: 2, images: 24, layout: 'webdataset', seed: 4, imageSize: 48 }, quietly())
  })

  it('an empty workspace says what belongs here; a dropped .mat shows what it is and every check, and is imported under the id given', async () => {
    const { page, workspace, close } = await openWorkstation({ place: 'data' })
    await page.getByText('Subjects live here').waitFor()
    await page.getByRole('button', { name: 'Create the demo subject' }).waitFor()
    expect(await seriousFindings(page)).toEqual([])

    const study = smallStudy('miyawaki.mat')
    await page.evaluate(() => {
      const transfer = new DataTransfer()
      transfer.items.add(new File(['x'], 'a.mat'))
      document.body.dispatchEvent(
        new DragEvent('dragenter', { bubbles: true, cancelable: true, dataTransfer: transfer }),
      )
    })
    await page.getByText('1 file or folder').waitFor()
    expect(await page.getByText('Release to see what it is').isVisible()).toBe(true)

    await dropFiles(page, [study])
    await sheet(page).getByText('13 trials · 12 voxels · 8 images of 28 × 28, grey').waitFor()
    expect(await page.getByText('Release to see what it is').count()).toBe(0)
    const { checks } = await inspectPaths([study.path], { map: {} }, quietly())
    await sheet(page).getByRole('list', { name: 'Checks before the import' }).waitFor()
    const shown = await sheet(page)
      .locator('[data-check]')
      .evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset.check))
    expect(shown.toSorted()).toEqual(checks.map(({ code }) => code).toSorted())
    expect(await sheet(page).locator('.samples img').count()).toBe(6)
    expect(existsSync(join(workspace, 'subjects', 'miyawaki'))).toBe(false)

    const id = sheet(page).getByLabel('Import as')
    expect(await id.inputValue()).toBe('miyawaki')
    await id.fill('../up')
    expect(await sheet(page).getByRole('button', { name: 'Import', exact: true }).isDisabled()).toBe(true)
    await id.fill('sub-01')
    expect(await seriousFindings(page)).toEqual([])
    await sheet(page).getByRole('button', { name: 'Import', exact: true }).click()

    await page.getByRole('navigation', { name: 'Subjects' }).getByText('sub-01').waitFor()
    await fact(page, 'Trials').waitFor()
    const manifest = readManifest(join(workspace, 'subjects', 'sub-01'))
    expect(await fact(page, 'Trials').innerText()).toBe(thousands(manifest.trialCount))
    expect(await fact(page, 'Voxels').innerText()).toBe(thousands(manifest.voxelCount))
    expect(await fact(page, 'Images').innerText()).toBe(thousands(manifest.stimulusCount))
    await page
      .getByText(`mean ${manifest.noiseCeiling!.mean.toFixed(3)}`)
      .first()
      .waitFor()
    await page.getByText('no leakage').waitFor()
    // A figure of 28 x 28 stays one: enlarged without smoothing, it has the few values that it had.
    await page
      .getByRole('row', { name: /^Image image/ })
      .first()
      .click()
    const values = await page
      .getByRole('complementary', { name: 'The selection' })
      .locator('img')
      .evaluate(async (image: HTMLImageElement) => {
        await image.decode()
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight)
        const context = canvas.getContext('2d')!
        context.drawImage(image, 0, 0)
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
        return { width: canvas.width, grey: new Set(data.filter((_, i) => i % 4 === 0)).size }
      })
    expect(values.width % 28).toBe(0)
    expect(values.grey).toBeLessThanOrEqual(16)
    await close()
  })

  it('a dropped folder of webdataset tars with two subjects becomes two proposals; facts, ROIs and trials agree with what is imported', async () => {
    const { page, workspace, close } = await openWorkstation({ place: 'data' })
    await dropFiles(page, filesOf(simulated, 'sim'))
    const all = sheet(page).getByRole('button', { name: 'Import all 2' })
    await all.waitFor({ timeout: 60_000 })
    expect(await sheet(page).getByRole('article').count()).toBe(2)
    await all.click()
    await page.getByRole('navigation', { name: 'Subjects' }).getByText('subj02').waitFor({ timeout: 60_000 })
    await page.getByRole('region', { name: 'ROIs' }).waitFor()

    const dir = join(workspace, 'subjects', 'subj02')
    const manifest = readManifest(dir)
    expect(await fact(page, 'Trials').innerText()).toBe(thousands(manifest.trialCount))
    const rois = await page
      .getByRole('region', { name: 'ROIs' })
      .getByRole('row')
      .evaluateAll((rows) =>
        rows.slice(1).map((row) => [...row.querySelectorAll('td')].slice(0, 2).map((cell) => cell.innerText.trim())),
      )
    expect(
      rois
        .map(([name, voxels]) => ({ name, voxels: Number(voxels.replaceAll(',', '')) }))
        .toSorted((a, b) => a.name.localeCompare(b.name)),
    ).toEqual(manifest.rois.toSorted((a, b) => a.name.localeCompare(b.name)))
    await page.getByRole('button', { name: 'Mean noise ceiling' }).click()
    const ceilings = await page.getByRole('region', { name: 'ROIs' }).locator('td:nth-child(3)').allInnerTexts()
    expect(ceilings.map(Number)).toEqual(ceilings.map(Number).toSorted((a, b) => b - a))
    await page
      .getByRole('region', { name: 'ROIs' })
      .getByRole('button', { name: manifest.rois[0].name, exact: true })
      .click()
    await page
      .getByRole('complementary', { name: 'The selection' })
      .getByRole('heading', { name: manifest.rois[0].name })
      .waitFor()
    const masks = readSubjectArray(dir, 'rois.npy')!.data as Uint8Array
    const count = masks.subarray(0, manifest.voxelCount).reduce((a, b) => a + b, 0)
    expect(
      await page.getByRole('complementary', { name: 'The selection' }).locator('.roi dd').first().innerText(),
    ).toBe(thousands(count))

    // The keyboard steps through trials, and every view follows.
    await page.locator('.page').click({ position: { x: 5, y: 5 } })
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.getByRole('heading', { name: 'Trial 1' }).waitFor()
    expect(await page.locator('[role=row][aria-selected=true]').getAttribute('aria-rowindex')).toBe('3')
    await page.keyboard.press('Control+k')
    await page.getByPlaceholder('Find a command').fill('trial 7')
    await page.getByRole('option', { name: /Trial 7/ }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Trial 7' }).waitFor()
    await page.keyboard.press('End')
    await page.getByRole('heading', { name: `Trial ${manifest.trialCount - 1}` }).waitFor()
    await page.locator('[role=row][aria-selected=true]').waitFor()
    // Only test trials: the axis is theirs.
    await page
      .getByRole('radio', { name: 'Test' })
      .or(page.getByRole('button', { name: 'Test', exact: true }))
      .first()
      .click()
    await page
      .getByText(`${thousands(manifest.testTrials)} trials`, { exact: true })
      .first()
      .waitFor()
    expect(await page.getByRole('table', { name: 'Trials' }).getAttribute('aria-rowcount')).toBe(
      String(manifest.testTrials + 1),
    )
    await page
      .getByRole('radio', { name: 'Images' })
      .or(page.getByRole('button', { name: 'Images', exact: true }))
      .first()
      .click()
    const cell = page.locator('.cell').first()
    await cell.click()
    expect(await cell.getAttribute('aria-pressed')).toBe('true')
    expect(await seriousFindings(page)).toEqual([])

    // Going back and forth shows what is cached: nothing is asked for again.
    const visit = (id: string) => goTo(page, id, readManifest(join(workspace, 'subjects', id)).voxelCount)
    for (const id of ['subj01', 'subj02']) await visit(id)
    const asked: string[] = []
    page.on('request', (request) => {
      if (/\/api\/subjects\/[^/]+(\/trials)?$/.test(request.url())) asked.push(request.url())
    })
    for (const id of ['subj01', 'subj02', 'subj01']) await visit(id)
    expect(asked).toEqual([])
    await close()
  })

  it('a wrong file is named with the reason, nothing is imported, and what was uploaded goes with it', async () => {
    const { page, workspace, close } = await openWorkstation({ place: 'data' })
    const folder = temporaryFolder()
    const whole = readFileSync(smallStudy('whole.mat').path)
    writeFileSync(join(folder, 'cut.mat'), whole.subarray(0, whole.length - 300))
    writeFileSync(join(folder, 'notes.docx'), 'words and no brain')
    await dropFiles(page, [{ name: 'notes.docx', path: join(folder, 'notes.docx') }])
    await sheet(page).getByText('not recognised').waitFor()
    await sheet(page).getByText('not a format that we read').waitFor()
    expect(await sheet(page).getByRole('button', { name: 'Import', exact: true }).count()).toBe(0)
    await dropFiles(page, [{ name: 'cut.mat', path: join(folder, 'cut.mat') }])
    await sheet(page)
      .getByText(/^damaged: /)
      .waitFor()
    const uploaded = () => readdirSync(join(workspace, 'uploads')).filter((name) => !name.startsWith('.'))
    expect(uploaded()).toHaveLength(2)
    for (let left = 2; left; left--)
      await sheet(page).getByRole('button', { name: 'Remove from this list' }).first().click()
    await page.getByText('Subjects live here').waitFor()
    await expect.poll(uploaded, { timeout: 20_000 }).toEqual([])
    expect(readdirSync(join(workspace, 'subjects'))).toEqual([])
    await close()
  })

  it('an upload goes on where a broken connection left it', async () => {
    const { page, workspace, complaints, close } = await openWorkstation({ place: 'data' })
    const folder = temporaryFolder()
    const bytes = encodeNpy(array('float32', [5, 450_000], new Float32Array(2_250_000).fill(1)))
    writeFileSync(join(folder, 'big.npy'), bytes)
    const offsets: string[] = []
    await page.route(/\/api\/uploads\/.*offset=/, async (route) => {
      offsets.push(new URL(route.request().url()).searchParams.get('offset')!)
      await (offsets.length === 2 ? route.abort('connectionreset') : route.continue())
    })
    await dropFiles(page, [{ name: 'big.npy', path: join(folder, 'big.npy') }])
    await sheet(page).getByText('not recognised').waitFor()
    const chunk = String(8 * 2 ** 20)
    expect(offsets).toEqual(['0', chunk, chunk])
    const [group] = readdirSync(join(workspace, 'uploads')).filter((name) => !name.startsWith('.'))
    expect(readFileSync(join(workspace, 'uploads', group, 'big.npy')).equals(bytes)).toBe(true)
    expect(complaints.splice(0)).toEqual([expect.stringContaining('ERR_CONNECTION_RESET')])
    await close()
  })

  it('arrays in no known layout are mapped by hand, beginning with what their names suggest', async () => {
    const { page, workspace, close } = await openWorkstation({ place: 'data' })
    const folder = temporaryFolder()
    const put = (name: string, dtype: 'float32' | 'uint8', shape: number[], values: ArrayLike<number>) => {
      const path = join(folder, name)
      writeFileSync(path, encodeNpy(array(dtype, shape, values)))
      return { name, path }
    }
    const pictures = (n: number, seed: number) => Array.from({ length: n }, (_, i) => [...colours(i + seed)]).flat()
    await dropFiles(page, [
      put('betas_train.npy', 'float32', [10, 6], noise(60, 1)),
      put('betas_test.npy', 'float32', [4, 6], noise(24, 2)),
      put('images_train.npy', 'uint8', [10, 8, 8, 3], pictures(10, 0)),
      put('seen_later.npy', 'uint8', [4, 8, 8, 3], pictures(4, 10)),
    ])
    const form = page.getByRole('group', { name: 'Mapping' })
    await form.waitFor()
    expect(await form.getByRole('combobox', { name: 'What betas_train is' }).innerText()).toBe('voxels.train')
    expect(await form.getByRole('combobox', { name: 'What seen_later is' }).innerText()).toBe('not used')
    await form.getByRole('combobox', { name: 'What seen_later is' }).click()
    await page.getByRole('option', { name: /^stimuli\.test/ }).click()
    await form.getByRole('button', { name: 'Look with this mapping' }).click()
    await sheet(page).getByText('14 trials · 6 voxels · 14 images of 8 × 8').waitFor()
    await sheet(page).getByLabel('Import as').fill('mine')
    await sheet(page).getByRole('button', { name: 'Import', exact: true }).click()
    await fact(page, 'Trials').waitFor()
    const { map, trainTrials, testTrials } = readManifest(join(workspace, 'subjects', 'mine'))
    expect(map).toMatchObject({ 'voxels.train': 'betas_train', 'stimuli.test': 'seen_later' })
    expect([trainTrials, testTrials]).toEqual([10, 4])
    await close()
  })

  it('the browser of the machine’s files lists allowed folders only and imports without an upload; deleting asks first', async () => {
    const folder = temporaryFolder()
    const study = smallStudy('study.mat')
    writeFileSync(join(folder, 'study.mat'), readFileSync(study.path))
    symlinkSync('/etc', join(folder, 'elsewhere'))
    const { page, workspace, close } = await openWorkstation({ place: 'data', allow: [folder] })
    await page.getByRole('button', { name: 'Open files…' }).click()
    const browser = page.getByRole('region', { name: 'Files of the machine' })
    await browser.getByText('a link that leads out of the allowed folders').waitFor()
    expect(await browser.getByRole('checkbox', { name: 'Choose elsewhere' }).isDisabled()).toBe(true)
    await browser.getByRole('checkbox', { name: 'Choose study.mat' }).check()
    await browser.getByRole('button', { name: 'Open 1 item' }).click()
    await sheet(page).getByRole('button', { name: 'Import', exact: true, disabled: false }).click()
    await fact(page, 'Trials').waitFor()
    const [source] = readManifest(join(workspace, 'subjects', 'study')).sources
    expect(source.path).toBe(join(folder, 'study.mat'))
    expect(existsSync(join(workspace, 'uploads')) ? readdirSync(join(workspace, 'uploads')) : []).toEqual([])

    await page.getByRole('button', { name: 'More on study' }).click()
    await page.getByRole('menuitem', { name: 'Delete…' }).click()
    await page.getByText(/This removes 13 trials and 8 images, .* Its 1 source file .* stay/).waitFor()
    await page.getByRole('button', { name: 'Keep it' }).click()
    expect(existsSync(join(workspace, 'subjects', 'study'))).toBe(true)
    await page.getByRole('button', { name: 'More on study' }).click()
    await page.getByRole('menuitem', { name: 'Delete…' }).click()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByText('Subjects live here').waitFor()
    expect(existsSync(join(workspace, 'subjects', 'study'))).toBe(false)
    expect(existsSync(join(folder, 'study.mat'))).toBe(true)
    await close()
  })
})
