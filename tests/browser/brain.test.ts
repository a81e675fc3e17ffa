import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Matrix, solve } from 'ml-matrix'
import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeNifti, type NiftiImage } from '../../src-main/formats/niftiWrite.ts'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { simulate } from '../../src-main/subjects/simulator/simulate.ts'
import { Workspace } from '../../src-main/workspace/index.ts'
import { autoLimits, ColourScale } from '../../src-renderer/shared/colourScale.ts'
import { quietly } from '../subjects/support.ts'
import {
  dropFiles,
  openWorkstation,
  seriousFindings,
  skipReason,
  temporaryFolder,
  type Workstation,
} from './support.ts'

/** A subject with its generated cortex; the files that it was imported from lie beside the workspace. */
async function workspaceWithCortex(home = temporaryFolder()): Promise<string> {
  const out = join(home, 'sim')
  await simulate({ out, subjects: 1, images: 12, layout: 'webdataset', seed: 5, imageSize: 32 }, quietly())
  const path = join(home, 'workspace')
  const workspace = Workspace.open(path, { create: true })
  const staging = workspace.subjects.stage('s1')
  await importPaths([join(out, 'subj01')], { id: 's1', map: {} }, staging.folder, quietly())
  staging.commit()
  workspace.close()
  return path
}

describe.skipIf(skipReason)('the brain', () => {
  let station: Workstation
  let page: Page
  const canvas = () => page.locator('canvas.cortex')
  const readout = () => page.getByTestId('brain-readout')
  const numberOf = (text: string) => Number(text.replaceAll(',', '').replace('−', '-'))
  const field = async (name: string) => {
    const text = await readout().innerText()
    return new RegExp(`${name}\\s+(.+)`).exec(text)?.[1] ?? ''
  }
  const array = (path: string, type: 'Float32Array' | 'Int32Array') =>
    page.evaluate(
      async ({ path, type }) => {
        const answer = await fetch(`/api/brain/s1/${path}`)
        if (!answer.ok) throw new Error(await answer.text())
        return [...new { Float32Array, Int32Array }[type](await answer.arrayBuffer())]
      },
      { path, type },
    )
  /** The window as it is on screen, (height, width, RGBA), and its part that is the canvas. */
  const pixels = async () => {
    const screen = sharp(await page.screenshot()).ensureAlpha()
    const { data, info } = await screen.clone().raw().toBuffer({ resolveWithObject: true })
    const { x, y, width, height } = (await canvas().boundingBox())!
    const part = { left: Math.ceil(x), top: Math.ceil(y), width: Math.floor(width) - 1, height: Math.floor(height) - 1 }
    return { width: info.width, data, canvas: await screen.clone().extract(part).raw().toBuffer() }
  }
  /** When two looks at the cortex agree: the finest picture is there, and nothing moves. */
  const atRest = async () => {
    await page.mouse.move(3, 3)
    let before = (await pixels()).canvas
    for (const end = Date.now() + 60_000; Date.now() < end;) {
      await page.waitForTimeout(700)
      const now = (await pixels()).canvas
      if (now.equals(before)) return
      before = now
    }
    throw new Error('the cortex does not come to rest')
  }
  /** Moves over the canvas, from place `from` of a spiral on, until a voxel is under the pointer; its pixel of the window. */
  const hoverVoxel = async (from = 0) => {
    const box = (await canvas().boundingBox())!
    for (let i = from; i < from + 400; i++) {
      const [angle, radius] = [i * 2.4, 0.3 * Math.sqrt((i % 400) / 400)]
      const x = Math.round(box.x + box.width * (0.5 + radius * Math.cos(angle)))
      const y = Math.round(box.y + box.height * (0.45 + radius * Math.sin(angle)))
      // What is told is of this place: that of the one before has gone.
      await page.mouse.move(3, 3)
      await page.getByText('Here', { exact: true }).waitFor({ state: 'detached' })
      await page.mouse.move(x, y)
      const isTold = page.getByText('Here', { exact: true }).waitFor({ timeout: 400 })
      if (!(await isTold.then(() => true).catch(() => false))) continue // beside the cortex
      if (/^\d/.test(await field('Voxel'))) return { x, y }
    }
    throw new Error('no voxel under the pointer anywhere')
  }

  let home: string
  beforeAll(async () => {
    home = temporaryFolder()
    station = await openWorkstation({ workspace: await workspaceWithCortex(home), place: 'data' })
    page = station.page
    await canvas().waitFor()
    await page.getByText('Generated cortex').waitFor()
    await atRest()
  }, 120_000)
  afterAll(() => station.close())

  test('is drawn: neither uniform nor lost, in many colours of its map', async () => {
    const { canvas: data } = await pixels()
    const colours = new Set(Array.from({ length: data.length / 4 }, (_, i) => data.readUInt32BE(4 * i)))
    expect(colours.size).toBeGreaterThan(50)
    expect(await page.getByText('graphics driver took').count()).toBe(0)
    expect(await seriousFindings(page)).toEqual([])
  })

  test('what is hovered is what the arrays say: vertex, voxel, value, place', async () => {
    await hoverVoxel()
    const [, side, vertexText] = /(Left|Right) ([\d,]+)/.exec(await field('Vertex'))!
    const vertex = numberOf(vertexText)
    const voxel = numberOf(await field('Voxel'))
    const hemisphere = side.toLowerCase()
    expect((await array(`${hemisphere}/voxel`, 'Int32Array'))[vertex]).toBe(voxel)
    const value = (await array('map/noise-ceiling', 'Float32Array'))[voxel]
    expect(numberOf((await field('Here')).split(/\s/)[0])).toBeCloseTo(value, 3)
    const pial = await array(`${hemisphere}/pial`, 'Float32Array')
    const mm = (await field('RAS')).split(/\s+/).slice(0, 3).map(numberOf)
    mm.forEach((value, axis) => expect(value).toBeCloseTo(pial[3 * vertex + axis], 0))
  })

  test('vertices lie where an orthographic camera puts them, and their pixels have the very colour of their value', async () => {
    // Outlines lie over the data.
    await page.getByRole('button', { name: 'Outlines' }).click()
    const boxes = page.getByRole('dialog').getByRole('checkbox', { checked: true })
    while (await boxes.count()) await boxes.first().uncheck()
    await page.getByRole('switch', { name: 'Names' }).click()
    await page.keyboard.press('Escape')
    await atRest()
    const { width, data } = await pixels()
    const values = Float32Array.from(await array('map/noise-ceiling', 'Float32Array'))
    const scale = new ColourScale({
      map: 'inferno',
      limits: autoLimits(values, false),
      threshold: 0,
      title: '',
      unit: '',
      signed: false,
    })
    const seen: { x: number; y: number; vertex: number }[] = []
    for (let i = 0; i < 24; i++) {
      const { x, y } = await hoverVoxel(i * 37)
      const [, side, vertex] = /(Left|Right) ([\d,]+)/.exec(await field('Vertex'))!
      const colour = [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 3)]
      expect(colour).toEqual(scale.rgb(values[numberOf(await field('Voxel'))]))
      if (side === 'Left') seen.push({ x, y, vertex: numberOf(vertex) })
    }
    expect(seen.length).toBeGreaterThan(7)
    const inflated = await array('left/inflated', 'Float32Array')
    const places = new Matrix(seen.map(({ vertex }) => [...inflated.slice(3 * vertex, 3 * vertex + 3), 1]))
    const points = new Matrix(seen.map(({ x, y }) => [x, y]))
    const residual = Matrix.sub(places.mmul(solve(places, points, true)), points)
    // A vertex owns pixels as far as half an edge away.
    expect(residual.norm() / Math.sqrt(seen.length)).toBeLessThan(3)
  })

  test('a click selects the voxel everywhere; keys turn, inflate, flatten and hide', async () => {
    await atRest()
    const { x, y } = await hoverVoxel()
    const voxel = await field('Voxel')
    await page.mouse.click(x, y)
    await page.mouse.move(3, 3)
    await readout().getByText('Selected').waitFor()
    expect(await field('Voxel')).toBe(voxel)

    await canvas().focus()
    const before = await pixels()
    await page.keyboard.press('p')
    await expect.poll(() => page.getByRole('slider', { name: 'Shape' }).getAttribute('aria-valuenow')).toBe('3')
    await atRest()
    expect((await pixels()).canvas.equals(before.canvas)).toBe(false)
    await page.keyboard.press('i')
    await expect.poll(() => page.getByRole('slider', { name: 'Shape' }).getAttribute('aria-valuenow')).toBe('2')
    await page.keyboard.press('l')
    await expect
      .poll(() => page.getByRole('button', { name: 'Left hemisphere' }).getAttribute('aria-pressed'))
      .toBe('false')
    await page.keyboard.press('r')
    await page.keyboard.press('m')
    await page.waitForTimeout(800)
    expect(await field('Voxel')).toBe(voxel)
  })

  test('another map recolours it and the bar', async () => {
    await page.keyboard.press('Home')
    const before = await pixels()
    await page.getByRole('combobox', { name: /map/i }).first().click()
    await page
      .getByRole('option', { name: /this trial/i })
      .or(page.getByRole('option', { name: /betas/i }))
      .first()
      .click()
    await page.keyboard.press('j')
    await page.locator('button.bar').waitFor()
    await atRest()
    expect((await pixels()).canvas.equals(before.canvas)).toBe(false)
  })

  test('undo brings back the shape that was shown', async () => {
    const shape = () => page.getByRole('slider', { name: 'Shape' }).getAttribute('aria-valuenow')
    await canvas().focus()
    await expect.poll(shape).toBe('2')
    await page.waitForTimeout(1000)
    await page.keyboard.press('i')
    await expect.poll(shape).toBe('1')
    await page.waitForTimeout(1000)
    for (let i = 0; i < 3 && (await shape()) !== '2'; i++) {
      await page.keyboard.press('Control+z')
      await page.waitForTimeout(300)
    }
    expect(await shape()).toBe('2')
  })

  test('a dropped map of the surface is shown, its hemispheres as one', async () => {
    const folder = join(home, 'sim', 'subj01', 'nsddata', 'freesurfer', 'subj01', 'surf')
    const files = ['lh.curv', 'rh.curv'].map((name) => ({ name, path: join(folder, name) }))
    await dropFiles(page, files, '.brain')
    const bar = page.locator('canvas.colour-bar')
    await expect.poll(() => bar.getAttribute('aria-label')).toMatch(/curv.*RdBu_r/)
    await atRest()
    const { canvas: data } = await pixels()
    // Both hemispheres have values: the red and blue of the map left and right.
    const { width, height } = (await canvas().boundingBox())!
    const row = Math.floor(width) - 1
    const tinted = [0, 0]
    for (let i = 0; i < row * (Math.floor(height) - 1); i++) {
      const [r, , b] = data.subarray(4 * i, 4 * i + 3)
      if (Math.abs(r - b) > 60) tinted[i % row < (width - 88) / 2 ? 0 : 1]++
    }
    expect(Math.min(...tinted)).toBeGreaterThan(0.2 * Math.max(...tinted))
  })

  test('a dropped volume is read at the vertices through its affine, also beyond the voxels', async () => {
    // Each cell holds its own x in mm.
    const affine = [[-3, 0, 0, 90], [0, 3, 0, -130], [0, 0, 3, -90], [0, 0, 0, 1]] // prettier-ignore
    const [nx, ny, nz] = [61, 90, 70]
    const volume = Float32Array.from({ length: nx * ny * nz }, (_, i) => 90 - 3 * Math.floor(i / (ny * nz)))
    const path = join(home, 'x.nii.gz')
    const nifti: NiftiImage = { dtype: 'float32', volumeShape: [nx, ny, nz], volumes: [volume], affine }
    writeFileSync(path, encodeNifti(nifti, { gzip: true }))
    await dropFiles(page, [{ name: 'x.nii.gz', path }], '.brain')
    await expect.poll(() => page.locator('canvas.colour-bar').getAttribute('aria-label')).toMatch(/^x/)
    await canvas().focus()
    await page.keyboard.press('r')
    await atRest()
    const box = (await canvas().boundingBox())!
    let beyond = 0
    let within = 0
    for (let i = 0; i < 200 && (beyond < 4 || within < 4); i++) {
      const [angle, radius] = [i * 2.4, 0.3 * Math.sqrt(i / 200)]
      await page.mouse.move(3, 3)
      await page.getByText('Here', { exact: true }).waitFor({ state: 'detached' })
      await page.mouse.move(
        box.x + box.width * (0.5 + radius * Math.cos(angle)),
        box.y + box.height * (0.45 + radius * Math.sin(angle)),
      )
      const isTold = page.getByText('Here', { exact: true }).waitFor({ timeout: 400 })
      if (!(await isTold.then(() => true).catch(() => false))) continue // beside the cortex
      // Read half way between white and pial, to the nearest cell; RAS is on the pial surface.
      const x = numberOf((await field('RAS')).split(/\s+/)[0])
      expect(Math.abs(numberOf((await field('Here')).split(/\s/)[0]) - x)).toBeLessThan(4)
      if (/^\d/.test(await field('Voxel'))) within++
      else beyond++
    }
    expect(within).toBeGreaterThan(0)
    expect(beyond).toBeGreaterThan(0)
  })

  test('its picture is saved at the scale asked for, on white', async () => {
    const { width } = (await canvas().boundingBox())!
    await page.getByRole('button', { name: 'Picture' }).click()
    const coming = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Save PNG' }).click()
    const file = await coming
    expect(file.suggestedFilename()).toMatch(/^s1-.*\.png$/)
    const { data, info } = await sharp(await file.path())
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true })
    expect(Math.abs(info.width - 2 * width)).toBeLessThanOrEqual(2)
    expect([...data.subarray(0, 3)]).toEqual([255, 255, 255])
    const colours = new Set(Array.from({ length: data.length / 3 }, (_, i) => data.readUIntBE(3 * i, 3)))
    expect(colours.size).toBeGreaterThan(50)
    await page.keyboard.press('Escape')
  })

  test('left while it draws, it is gone without a complaint', async () => {
    for (let i = 0; i < 24; i++) {
      await page.evaluate((place) => (location.hash = `#/${place}`), i % 2 ? 'data' : 'train')
      await page.waitForTimeout(60)
    }
    await canvas().waitFor()
    await page.waitForTimeout(1000)
    expect(station.complaints).toEqual([])
  })

  test('a file that is no map says what it should be', async () => {
    const words = join(home, 'words.nii')
    writeFileSync(words, 'no volume')
    await dropFiles(page, [{ name: 'words.nii', path: words }], '.brain')
    await page.getByRole('alert').getByText('NIfTI').first().waitFor()
    expect(station.complaints.splice(0)).toHaveLength(1) // the refusal, on the console
    await page.getByRole('button', { name: 'Close' }).click()
  })
})

describe.skipIf(skipReason)('the brain of a subject without surfaces', () => {
  test.each([
    ['the voxels in their places, with slices', ['surfaces'], 'drawn in their places', 3],
    ['the voxels by ROI', ['surfaces', 'positions.npy'], 'the voxels by ROI', 0],
  ])('is %s, and says why', async (_, without, why, slices) => {
    const workspace = await workspaceWithCortex()
    for (const name of without) rmSync(join(workspace, 'subjects', 's1', name), { recursive: true, force: true })
    const { page, close } = await openWorkstation({ workspace, place: 'data' })
    await page.getByText(why).waitFor()
    expect(await page.locator('.slices canvas').count()).toBe(slices)
    await page.waitForTimeout(1500)
    const cortex = page.locator('canvas.cortex')
    const shot = await sharp(await cortex.screenshot())
      .raw()
      .toBuffer()
    expect(new Set(Array.from({ length: shot.length / 3 }, (_, i) => shot.readUIntBE(3 * i, 3))).size).toBeGreaterThan(
      20,
    )
    const box = (await cortex.boundingBox())!
    const readout = page.getByTestId('brain-readout')
    for (let i = 0; i < 200; i++) {
      const [angle, radius] = [i * 2.4, 0.3 * Math.sqrt(i / 200)]
      await page.mouse.click(
        box.x + box.width * (0.5 + radius * Math.cos(angle)),
        box.y + box.height * (0.45 + radius * Math.sin(angle)),
      )
      await page.waitForTimeout(150)
      if (await readout.count()) break
    }
    await page.mouse.move(3, 3)
    const text = await readout.innerText()
    const voxel = Number(/Voxel\s+([\d,]+)/.exec(text)![1].replaceAll(',', ''))
    const value = await page.evaluate(async (voxel) => {
      const answer = await fetch('/api/brain/s1/map/noise-ceiling')
      return new Float32Array(await answer.arrayBuffer())[voxel]
    }, voxel)
    expect(Number(/Selected\s+(\S+)/.exec(text)![1])).toBeCloseTo(value, 3)
    await close()
  })
})
