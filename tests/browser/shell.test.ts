import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inElectron } from './electronDriver.ts'
import { openWorkstation, seriousFindings, skipReason, type Workstation } from './support.ts'

describe.skipIf(skipReason)('the shell', () => {
  let station: Workstation
  beforeAll(async () => {
    station = await openWorkstation()
  })
  afterAll(() => station.close())

  test.skipIf(inElectron)('an address without its token is refused, and the token leaves the address bar', async () => {
    const { page, host } = station
    expect(page.url()).not.toContain('token')
    expect((await fetch(`http://127.0.0.1:${host.port}/api/host`)).status).toBe(403)
    expect((await fetch(`http://127.0.0.1:${host.port}/`)).status).toBe(403)
  })

  test('every place on the rail opens by click and by key, and passes axe in dark and light', async () => {
    const { page } = station
    const links = page.getByRole('navigation', { name: 'Places' }).getByRole('link')
    const names = await links.evaluateAll((all) => all.map((a) => a.getAttribute('aria-label')!))
    expect(names).toEqual(['Data', 'Train', 'Decode', 'Evaluate', 'Figures', 'Compute'])
    for (const name of names) {
      await links.and(page.getByLabel(name, { exact: true })).click()
      await page.locator('.dv-groupview').first().waitFor()
      await expect.poll(() => seriousFindings(page), { message: name, timeout: 60_000 }).toEqual([])
    }
    await page.keyboard.press('1')
    await page.waitForURL(/#\/data$/)
    await page.keyboard.press('Alt+t')
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('light')
    for (const name of names) {
      await links.and(page.getByLabel(name, { exact: true })).click()
      await expect.poll(() => seriousFindings(page), { message: `${name}, light`, timeout: 60_000 }).toEqual([])
    }
    await page.keyboard.press('Alt+t')
  })

  test('the palette finds and does; Escape leaves it; the list of keys tells what works', async () => {
    const { page } = station
    await page.keyboard.press('Control+k')
    const input = page.getByPlaceholder('Find a command')
    await input.fill('go to compute')
    await page.keyboard.press('Enter')
    await page.waitForURL(/#\/compute$/)
    await page.keyboard.press('Control+k')
    await input.waitFor()
    await page.keyboard.press('Escape')
    await input.waitFor({ state: 'detached' })
    await page.keyboard.press('Control+/')
    await page.getByRole('dialog', { name: 'Keys' }).getByText('Next trial').waitFor()
    await page.keyboard.press('Escape')
  })

  test('panels go full and back, move without a mouse, and stay where they were put', async () => {
    const { page } = station
    await page.keyboard.press('2')
    await page.waitForURL(/#\/train$/)
    const panels = page.locator('.dv-groupview')
    // Beside one at full size the others shrink to their borders.
    const inSight = () =>
      panels.evaluateAll(
        (all) => all.map((one) => one.getBoundingClientRect()).filter((r) => Math.min(r.width, r.height) > 20).length,
      )
    await expect.poll(() => inSight()).toBeGreaterThan(1)
    const before = await inSight()
    await panels.first().click({ position: { x: 4, y: 60 } })
    await page.keyboard.press('f')
    await expect.poll(() => inSight()).toBe(1)
    await page.keyboard.press('Escape')
    await expect.poll(() => inSight()).toBe(before)
    await page.getByRole('button', { name: 'More on New training' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('menuitem', { name: 'Close' }).click()
    await expect.poll(() => inSight()).toBe(before - 1)
    await page.waitForTimeout(1200) // the layout is kept half a second after its last change
    await page.reload()
    await panels.first().waitFor()
    expect(await inSight()).toBe(before - 1)
    await page.keyboard.press('Control+k')
    await page.getByPlaceholder('Find a command').fill('reset the layout')
    await page.keyboard.press('Enter')
    await expect.poll(() => inSight()).toBe(before)
  })

  test('Compute tells each link to the hardware', async () => {
    const { page } = station
    await page.getByRole('link', { name: 'Compute' }).click()
    await page.getByText('libtensorflow').waitFor()
    const kernel = page.locator('li', { hasText: 'kernel' })
    await kernel.getByText(/GFLOP\/s/).waitFor()
    if (inElectron) return
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByRole('button', { name: 'Copy report' }).click()
    await page.getByText('Copied the report').waitFor()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^ok +kernel: .*GFLOP\/s/m)
  })
})
