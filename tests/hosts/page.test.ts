import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { answerer } from '../../src-main/hosts/page.ts'
import { securityHeaders } from '../../src-main/hosts/security.ts'

const dir = mkdtempSync(join(tmpdir(), 'page-test-'))
const folder = join(dir, 'renderer')
const asked: string[] = []
const app = {
  fetch: async (request: Request) => {
    asked.push(request.url)
    return new Response('answer')
  },
}

beforeAll(() => {
  mkdirSync(join(folder, 'assets'), { recursive: true })
  writeFileSync(join(dir, 'secret.txt'), 'secret')
  writeFileSync(join(folder, 'index.html'), '<!doctype html>')
  writeFileSync(join(folder, 'assets', 'index-1.js'), 'run()')
  symlinkSync(join(dir, 'secret.txt'), join(folder, 'assets', 'link.txt'))
})
afterAll(() => rmSync(dir, { recursive: true }))

const at = (path: string, init?: RequestInit) => answerer(app, folder)(new Request(`app://mindeye${path}`, init))

it('serves the page with every security header', async () => {
  for (const path of ['/', '/index.html', '/?x=1']) {
    const response = await at(path)
    expect(await response.text()).toBe('<!doctype html>')
    expect(response.headers.get('Content-Type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('Cache-Control')).toBe('no-cache')
    for (const [name, value] of Object.entries(securityHeaders)) expect(response.headers.get(name)).toBe(value)
  }
})

it('serves its files, to be kept', async () => {
  const response = await at('/assets/index-1.js')
  expect(await response.text()).toBe('run()')
  expect(response.headers.get('Content-Type')).toBe('text/javascript; charset=utf-8')
  expect(response.headers.get('Cache-Control')).toContain('immutable')
})

it.each([
  '/../secret.txt',
  '/..%2fsecret.txt',
  '/assets/..%2f..%2fsecret.txt',
  '/assets/%2e%2e/%2e%2e/secret.txt',
  '/assets/..%5c..%5csecret.txt',
  '/%00',
  '/%',
  '/assets',
  '/assets/',
  '/assets/link.txt',
  '/etc/passwd',
  '//etc/passwd',
])('knows nothing at %s', async (path) => {
  const response = await at(path)
  expect(response.status).toBe(404)
  expect(await response.text()).not.toContain('secret')
  expect(response.headers.get('Content-Security-Policy')).toBeTruthy()
})

it('hands requests for the app on, and answers them with the same headers', async () => {
  const response = await at('/api/trpc/x', { method: 'POST', body: '1' })
  expect(await response.text()).toBe('answer')
  expect(asked).toEqual(['app://mindeye/api/trpc/x'])
  expect(response.headers.get('Content-Security-Policy')).toBe(securityHeaders['Content-Security-Policy'])
})

it('refuses to write to the page', async () => {
  expect((await at('/', { method: 'POST', body: '1' })).status).toBe(405)
})

it('sees a page that was built anew, and says when there is none', async () => {
  const answer = answerer(app, folder)
  const get = async (path: string) => answer(new Request(`http://localhost${path}`))
  writeFileSync(join(folder, 'assets', 'index-2.js'), 'run(2)')
  expect((await get('/assets/index-2.js')).status).toBe(404)
  expect((await get('/')).status).toBe(200)
  expect((await get('/assets/index-2.js')).status).toBe(200)
  const none = await answerer(app, join(dir, 'nowhere'))(new Request('http://localhost/'))
  expect(none.status).toBe(503)
  expect(await none.text()).toContain('build:renderer')
})
