import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { strToU8, zipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const dir = mkdtempSync(join(tmpdir(), 'setup-test-'))
afterAll(() => rmSync(dir, { recursive: true }))
const python = spawnSync('python3', ['-m', 'pip', '--version']).status === 0
const noPython = 'needs python3 with pip'

/** A process that runs `body` with everything that set-up's modules export. */
function child(body: string, env: Record<string, string> = {}): ChildProcess {
  const names = ['shell', 'lock', 'stamp', 'wheel']
  const imports = names.map(
    (name) => `import * as ${name} from ${JSON.stringify(`${process.cwd()}/scripts/setup/${name}.mjs`)}`,
  )
  return spawn('node', ['--input-type=module', '-e', [...imports, body].join('\n')], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function finish(process: ChildProcess): Promise<{ code: number | null; out: string; err: string }> {
  let [out, err] = ['', '']
  process.stdout?.on('data', (data: Buffer) => (out += data.toString()))
  process.stderr?.on('data', (data: Buffer) => (err += data.toString()))
  const [code] = (await once(process, 'close')) as [number | null]
  return { code, out, err }
}

async function until(condition: () => boolean): Promise<void> {
  const start = Date.now()
  while (!condition()) {
    if (Date.now() - start > 30_000) throw new Error(`never came true: ${condition.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('set-up', () => {
  it('has nothing to say the second time', () => {
    execFileSync('node', ['scripts/setup.mjs'], { stdio: ['ignore', 'pipe', 'pipe'] })
    const { status, stdout, stderr } = spawnSync('node', ['scripts/setup.mjs'], { encoding: 'utf8' })
    expect(status).toBe(0)
    expect(stdout).toBe('')
    const { tensorflow } = JSON.parse(readFileSync('node_modules/.mindeye-setup.json', 'utf8')) as {
      tensorflow: unknown
    }
    if (tensorflow) expect(stderr).toBe('')
    else expect(stderr).toMatch(/^set-up: the slow plain backend computes: .+\n$/)
  })

  it('refuses a build it does not know, in one line', () => {
    const env = { ...process.env, MINDEYE_TENSORFLOW: 'tpu' }
    const { status, stderr } = spawnSync('node', ['scripts/setup.mjs'], { encoding: 'utf8', env })
    expect(status).toBe(1)
    expect(stderr).toBe("set-up: MINDEYE_TENSORFLOW: expected cpu, cuda or none, found 'tpu'\n")
  })
})

describe('lock', () => {
  const hold = (lock: string, log: string) => `
    import { appendFileSync } from 'node:fs'
    await lock.withLock(${JSON.stringify(lock)}, 'tests', async () => {
      appendFileSync(${JSON.stringify(log)}, 'in ')
      await new Promise((resolve) => setTimeout(resolve, 200))
      appendFileSync(${JSON.stringify(log)}, 'out ')
    })`

  it('lets in one after the other', async () => {
    const [lock, log] = [join(dir, 'lock1'), join(dir, 'log1')]
    const ends = await Promise.all([1, 2, 3].map(() => finish(child(hold(lock, log)))))
    expect(ends.map((end) => end.code)).toEqual([0, 0, 0])
    expect(readFileSync(log, 'utf8')).toBe('in out in out in out ')
    expect(existsSync(lock)).toBe(false)
  })

  it('of an owner that was killed is taken over', async () => {
    const [lock, log] = [join(dir, 'lock2'), join(dir, 'log2')]
    const owner = child(`await lock.withLock(${JSON.stringify(lock)}, 'tests', () => new Promise(() => {}))`)
    await until(() => existsSync(join(lock, 'owner')))
    owner.kill('SIGKILL')
    await once(owner, 'close')
    expect(existsSync(lock)).toBe(true)
    expect((await finish(child(hold(lock, log)))).code).toBe(0)
    expect(readFileSync(log, 'utf8')).toBe('in out ')
  })
})

describe.skipIf(!python)(`wheels (${noPython})`, () => {
  const wheel = join(dir, 'thing-1.0-py3-none-any.whl')
  beforeAll(() => {
    const metadata = [
      'Name: thing',
      'Requires-Dist: numpy>=1.26.0',
      'Requires-Dist: cuda-part<13.0,>=12.5; extra == "and-cuda"',
      'Requires-Dist: cloud; (sys_platform != "win32") and extra == "gcs"',
    ].join('\n')
    writeFileSync(
      wheel,
      zipSync({
        'thing/lib.so': [strToU8('library'), { os: 3, attrs: 0o755 << 16 }],
        'thing/include/c/deep/a.h': strToU8('a'),
        'thing/include/c/b.cc': strToU8('b'),
        'thing-1.0.dist-info/METADATA': strToU8(metadata),
      }),
    )
  })

  it('give the files asked for, at their place', () => {
    const dest = join(dir, 'unpacked')
    const rules = ['thing/lib.so=deps/lib', 'thing/include/c/*.h=deps/include/c']
    execFileSync('python3', ['scripts/setup/unpackWheel.py', 'extract', wheel, dest, ...rules])
    const files = readdirSync(dest, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    expect(files.map((file) => join(file.parentPath, file.name).slice(dest.length + 1)).sort()).toEqual([
      'deps/include/c/deep/a.h',
      'deps/lib/lib.so',
    ])
    expect(readFileSync(join(dest, 'deps/lib/lib.so'), 'utf8')).toBe('library')
    expect(statSync(join(dest, 'deps/lib/lib.so')).mode & 0o777).toBe(0o755)
  })

  it('name what an extra needs', () => {
    const out = execFileSync('python3', ['scripts/setup/unpackWheel.py', 'needs', wheel, 'and-cuda'], {
      encoding: 'utf8',
    })
    expect(out).toBe('cuda-part<13.0,>=12.5\n')
  })

  describe('download', () => {
    let server: Server
    let requested = 0
    let env: Record<string, string>
    // A package index whose one file never ends.
    beforeAll(async () => {
      server = createServer((request, response) => {
        if (request.url?.endsWith('.whl')) {
          requested++
          response.writeHead(200, { 'content-length': 5e6 }).write(Buffer.alloc(1e6))
        } else {
          const name = 'tensorflow_cpu-2.21.0-py3-none-any.whl'
          response.writeHead(200, { 'content-type': 'text/html' }).end(`<a href="/${name}">${name}</a>`)
        }
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      env = { PIP_INDEX_URL: `http://127.0.0.1:${port}/simple`, PIP_EXTRA_INDEX_URL: '', PIP_FIND_LINKS: '' }
    })
    afterAll(() => {
      server.closeAllConnections()
      server.close()
    })

    it.skipIf(process.platform !== 'linux' || process.arch !== 'x64')(
      'that is interrupted leaves nothing behind (linux-x64)',
      async () => {
        const cache = join(dir, 'cache1')
        mkdirSync(cache)
        const entry = join(cache, 'tensorflow')
        const download = child(`await wheel.fillFromWheel(${JSON.stringify(entry)}, 'cpu')`, env)
        const end = finish(download)
        await until(() => requested > 0)
        expect(readdirSync(cache)).toHaveLength(1)
        download.kill('SIGTERM')
        expect((await end).code).toBe(143)
        expect(readdirSync(cache)).toEqual([])
      },
    )

    it('that fails leaves nothing behind and says why', async () => {
      const cache = join(dir, 'cache2')
      mkdirSync(cache)
      const body = `await wheel.fillFromWheel(${JSON.stringify(join(cache, 'tensorflow'))}, 'cpu')`
      const { code, err } = await finish(child(body, { ...env, PIP_NO_INDEX: '1' }))
      expect(code).toBe(1)
      expect(err).toContain('No matching distribution found for tensorflow')
      expect(readdirSync(cache)).toEqual([])
    })
  })
})
