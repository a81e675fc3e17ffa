import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inElectron } from './electronDriver.ts'
import { openWorkstation, skipReason, type Workstation } from './support.ts'

/** What browsers themselves do with cookies, links and other sites' pages; tests/hosts has the headers one by one. */
describe.skipIf(skipReason ?? inElectron)('the Node host, in a browser', () => {
  let station: Workstation
  let link = ''
  let visitor: BrowserContext
  // Another site's page on this machine, with a link to the app and things that it may not have of it.
  const other = createServer((_request, response) => {
    const { port } = station.host
    response.setHeader('Content-Type', 'text/html')
    response.end(
      `<a href="${link}">open</a><img src="http://localhost:${port}/api/host"><iframe src="http://localhost:${port}/"></iframe>`,
    )
  })
  beforeAll(async () => {
    station = await openWorkstation()
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    visitor = await station.page.context().browser()!.newContext()
  })
  afterAll(async () => {
    await visitor.close()
    other.close()
    await station.close()
  })
  const otherPage = (host: string) => `http://${host}:${(other.address() as AddressInfo).port}/`

  test('is opened by a link on another site’s page, once', async () => {
    link = station.host.addressForOnce().replace('127.0.0.1', 'localhost')
    const page = await visitor.newPage()
    await page.goto(otherPage('127.0.0.1')) // to a browser another site than localhost
    await page.click('a')
    await page.locator('.shell').waitFor()
    expect(page.url()).not.toContain('token')
    const again = await visitor.browser()!.newContext()
    const stranger = await again.newPage()
    expect((await stranger.goto(link))!.status()).toBe(403)
    await again.close()
    await page.close()
  })

  test('gives nothing to a page of another port, whose requests carry the cookie', async () => {
    const page = await visitor.newPage()
    const ends = new Map<string, number | string | undefined>()
    page.on('response', (response) => ends.set(new URL(response.url()).pathname, response.status()))
    page.on('requestfailed', (request) => ends.set(new URL(request.url()).pathname, request.failure()?.errorText))
    await page.goto(otherPage('localhost')) // to a browser the same site, since it does not look at ports
    await expect.poll(() => ends.get('/api/host')).toMatch(/BLOCKED_BY_RESPONSE/)
    const read = await page.evaluate(
      (url) =>
        fetch(url, { credentials: 'include' }).then(
          () => 'read',
          () => 'refused',
        ),
      `http://localhost:${station.host.port}/api/host`,
    )
    expect(read).toBe('refused')
    expect(page.frames().filter((frame) => frame.url().includes(`:${station.host.port}/`))).toEqual([])
    await page.close()
  })
})
