import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { layout } from '../../src-main/base/layout.ts'
import { listen, type NodeHost, startNodeHost } from '../../src-main/hosts/nodeServer.ts'

const dir = mkdtempSync(join(tmpdir(), 'node-host-test-'))
const renderer = join(dir, 'renderer')
let host: NodeHost

beforeAll(async () => {
  mkdirSync(renderer)
  writeFileSync(join(renderer, 'index.html'), '<!doctype html><title>MindEye</title>')
  host = await startNodeHost({ workspacePath: join(dir, 'lab'), renderer, allow: [], port: 0, log: () => {} })
})
afterAll(async () => {
  await host.close()
  rmSync(dir, { recursive: true })
})

interface Reply {
  status: number
  headers: IncomingMessage['headers']
  body: string
}

/** A request with whatever headers, Host included, which fetch would not let us forge. */
async function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Reply> {
  const request = httpRequest({ host: '127.0.0.1', port: host.port, path, headers, method, setHost: !headers.Host })
  request.end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { status: response.statusCode!, headers: response.headers, body: await text(response) }
}

async function cookie(headers: Record<string, string> = {}): Promise<string> {
  const { headers: reply } = await ask(`/?token=${host.token}`, headers)
  return reply['set-cookie']![0].split(';')[0]
}

const bearer = () => ({ Authorization: `Bearer ${host.token}` })

describe('the token', () => {
  it('is exchanged for a cookie that scripts cannot read, and leaves the address', async () => {
    expect(host.address).toBe(`http://127.0.0.1:${host.port}/?token=${host.token}`)
    expect(host.token.length).toBeGreaterThanOrEqual(32)
    const { status, headers, body } = await ask(`/?token=${host.token}`)
    expect(status).toBe(303)
    expect(headers.location).toBe('/')
    expect(headers['set-cookie']).toEqual([
      expect.stringMatching(new RegExp(`^mindeye-${host.port}=[\\w-]{32}; Path=/; HttpOnly; SameSite=Strict$`)),
    ])
    expect(headers['set-cookie']![0]).not.toContain(host.token)
    expect(body.trim()).toBe('')
    const page = await ask('/', { Cookie: `other=1; ${await cookie()}` })
    expect(page.status).toBe(200)
    expect(page.body).toContain('<title>MindEye</title>')
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
  })

  it('gives a cookie by the port that the browser sees, through a tunnel', async () => {
    const Host = 'localhost:9999'
    const held = await cookie({ Host })
    expect(held).toMatch(/^mindeye-9999=/)
    expect((await ask('/', { Host, Cookie: held })).status).toBe(200)
    expect((await ask('/', { Host: 'localhost:9998', Cookie: held })).status).toBe(403)
  })

  it('is followed by a page of ours when another site links here, whose redirect would lose the cookie', async () => {
    for (const site of ['cross-site', 'same-site']) {
      const { status, headers } = await ask(`/?token=${host.token}`, { 'Sec-Fetch-Site': site })
      expect(status).toBe(200)
      expect(headers.refresh).toBe('0; url=/')
      expect(headers['set-cookie']).toHaveLength(1)
    }
    expect((await ask(`/?token=${host.token}`, { 'Sec-Fetch-Site': 'none' })).status).toBe(303)
  })

  it('has stand-ins that work once', async () => {
    const [one, other] = [host.addressForOnce(), host.addressForOnce()].map((address) => new URL(address).search)
    expect((await ask(`/${one}`, { Host: 'example.org' })).status).toBe(403) // does not use it up
    expect((await ask(`/${one}`)).status).toBe(303)
    expect((await ask(`/${one}`)).status).toBe(403)
    expect((await ask(`/${other}`)).headers['set-cookie']).toHaveLength(1)
  })

  it('works as a header for programs', async () => {
    expect((await ask('/api/host', bearer())).status).toBe(200)
    expect(JSON.parse((await ask('/api/host', bearer())).body)).toMatchObject({ native: false })
  })

  it('is needed for everything', async () => {
    for (const path of [
      '/',
      '/api/host',
      '/api/trpc/subjects',
      '/assets/x.js',
      '/?token=',
      '/api/host?token=' + host.token,
    ]) {
      const { status, body } = await ask(path)
      expect(status, path).toBe(403)
      expect(body).toMatch(/Open the address with its token/)
    }
    for (const headers of [
      { Authorization: `Bearer ${host.token}x` },
      { Authorization: 'Bearer ' },
      { Authorization: `Basic ${host.token}` },
      { Cookie: `mindeye-${host.port}=${host.token}` },
      { Cookie: `mindeye-${host.port}=` },
    ] as Record<string, string>[])
      expect((await ask('/api/host', headers)).status, JSON.stringify(headers)).toBe(403)
    expect((await ask('/?token=wrong')).headers['set-cookie']).toBeUndefined()
    expect((await ask(`/?token=${host.token}`, {}, 'POST')).headers['set-cookie']).toBeUndefined()
  })
})

describe('even with the token', () => {
  it('no foreign host may be named', async () => {
    for (const Host of ['example.org', `example.org:${host.port}`, 'localhost.example.org', '0.0.0.0'])
      expect((await ask('/api/host', { ...bearer(), Host })).status, Host).toBe(403)
    expect((await ask(`/?token=${host.token}`, { Host: 'example.org' })).headers['set-cookie']).toBeUndefined()
  })

  it('no other page may ask', async () => {
    const Cookie = await cookie()
    const own = `http://127.0.0.1:${host.port}`
    expect((await ask('/api/host', { Cookie, Origin: own })).status).toBe(200)
    for (const Origin of ['http://127.0.0.1:1', 'https://example.org', 'null', `http://localhost:${host.port}`])
      expect((await ask('/api/host', { Cookie, Origin })).status, Origin).toBe(403)
    expect((await ask('/api/host', { Cookie, 'Sec-Fetch-Site': 'same-site' })).status).toBe(403)
  })

  it('no path leads out of the page', async () => {
    for (const path of ['/../lab', '/..%2flab%2fmindeye.sqlite', '/%2e%2e/lab', '/api/../../lab'])
      expect((await ask(path, bearer())).status, path).toBe(404)
  })
})

it('listens on the loopback address only, and says when the port is taken', async () => {
  const taken = startNodeHost({
    workspacePath: join(dir, 'other'),
    renderer,
    allow: [],
    port: host.port,
    log: () => {},
  })
  await expect(taken).rejects.toMatchObject({ parts: { where: '--port', expected: 'a free port' } })
})

it('tells the app when a page has gone', async () => {
  let gone: (() => void) | undefined
  const isGone = new Promise<void>((resolve) => (gone = resolve))
  const server = await listen(async (request) => {
    request.signal.addEventListener('abort', () => gone!())
    return new Response(new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode('event')) }))
  }, 0)
  const request = httpRequest({ host: '127.0.0.1', port: server.port })
  request.end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const [first] = (await once(response, 'data')) as [Buffer]
  expect(first.toString()).toBe('event') // streamed, though the answer has not ended
  response.on('error', () => {})
  request.destroy()
  await isGone
  await server.close()
})

describe('npm run serve', () => {
  const run = (...args: string[]) => {
    const child = spawn(layout.nodeBinary, [layout.entry('node'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    return { child, out: text(child.stdout), err: text(child.stderr), end: once(child, 'close') }
  }

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'prints its address alone on stdout and ends cleanly on %s',
    async (signal) => {
      const workspace = join(dir, `lab-${signal}`)
      const { child, out, err, end } = run('--workspace', workspace, '--port', '0')
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      const address = new URL(line.toString().trim())
      expect(address.hostname).toBe('127.0.0.1')
      expect(existsSync(workspace)).toBe(true)
      const headers = { Authorization: `Bearer ${address.searchParams.get('token')}` }
      expect((await fetch(new URL('/api/host', address), { headers })).status).toBe(200)
      // An open event stream must not keep it.
      const stream = await fetch(new URL('/api/events', address), { headers })
      const reader = stream.body!.getReader()
      await reader.read()
      child.kill(signal)
      await reader.read().catch(() => {})
      const [code] = (await end) as [number]
      expect(code).toBe(0)
      expect(await out).toBe(line.toString())
      expect(await err).toContain('stopping')
    },
  )

  it.each([
    ['--port', '99999', /--port: expected a number from 0 to 65535, found '99999'/],
    ['--allow', join(dir, 'nowhere'), /--allow: expected a folder/],
    ['--prot', '1', /Unknown option '--prot'/],
  ])('refuses %s %s in plain words', async (option, value, message) => {
    const { out, err, end } = run('--workspace', join(dir, 'lab'), option, value)
    const [code] = (await end) as [number]
    expect(code).toBe(1)
    expect(await err).toMatch(message)
    expect(await out).toBe('')
  })
})
