import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { layout } from '../../src-main/base/layout.ts'
import { nodeBinary } from '../../src-main/engine/channel.ts'

const dir = mkdtempSync(join(tmpdir(), 'serve-test-'))
afterAll(() => rmSync(dir, { recursive: true }))

const serve = (...args: string[]) => {
  const child = spawn(nodeBinary(), [join(layout.root, 'src-main/hosts/node.ts'), ...args])
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  return { child, said }
}

it('prints its address with the token, and nothing else, on stdout, and ends when asked', async () => {
  const workspace = join(dir, 'lab')
  const { child, said } = serve('--workspace', workspace, '--port', '0', '--allow', dir)
  await expect.poll(() => said.out, { timeout: 60_000 }).toMatch(/\n$/)
  expect(said.out).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{20,}\n$/)
  expect(said.err).toContain(`workspace: ${workspace}`)
  const address = new URL(said.out.trim())
  expect(said.err).toContain(`ssh -N -L ${address.port}:127.0.0.1:${address.port}`)
  expect((await fetch(new URL('/api/host', address))).status).toBe(403)
  const headers = { Authorization: `Bearer ${address.searchParams.get('token')}` }
  expect((await fetch(new URL('/api/host', address), { headers })).status).toBe(200)
  expect(existsSync(join(workspace, 'workspace.json'))).toBe(true)
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})

it.each([
  [['--port', '70000'], '--port: expected a number from 0 to 65535'],
  [['--allow', join(dir, 'none')], '--allow: expected a folder'],
  [['--prot', '1'], 'expected known options'],
])('says what is wrong with %j', async (args, words) => {
  const { child, said } = serve(...args)
  const [code] = (await once(child, 'close')) as [number]
  expect(code).toBe(1)
  expect(said.err).toContain(words)
  expect(said.out).toBe('')
})
