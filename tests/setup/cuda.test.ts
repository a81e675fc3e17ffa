import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { strToU8, zipSync } from 'fflate'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createContext } from '../../src-main/actions/context.ts'
import { gpuAction } from '../../src-main/actions/gpu.ts'
import type { Progress } from '../../src-main/base/progress.ts'
import { layout } from '../../src-main/base/layout.ts'
import { fetchCuda, fetchedCuda, libraryEnvironment, removeCuda } from '../../src-main/engine/cuda.ts'

const lib = join(layout.root, 'node_modules', '@tensorflow', 'tfjs-node-gpu', 'deps', 'lib')
const skipReason =
  process.platform !== 'linux' || process.arch !== 'x64'
    ? 'the CUDA build exists for linux-x64'
    : !existsSync(join(lib, 'libtensorflow_cc.so.2'))
      ? 'TensorFlow is not staged'
      : ['python3 -m pip --version', 'g++ --version'].find((line) => spawnSync('sh', ['-c', line]).status !== 0)
if (skipReason) console.warn(`fetching the CUDA build is not tested: ${skipReason}`)

const dir = mkdtempSync(join(tmpdir(), 'cuda-test-'))
afterAll(() => rmSync(dir, { recursive: true }))

/** A package index with the given wheels; `requests` are the files asked for. */
class Index {
  readonly wheels: Record<string, Uint8Array> = {}
  readonly requests: string[] = []
  /** Files that the network breaks off in the middle. */
  broken = new Set<string>()
  private readonly server: Server = createServer((request, response) => {
    const name = request.url!.split('/').findLast(Boolean)!
    if (name.endsWith('.whl')) {
      this.requests.push(name)
      const body = this.wheels[name]
      response.writeHead(200, { 'content-length': body.length })
      if (!this.broken.has(name)) return response.end(body)
      response.write(body.slice(0, 10))
      return setTimeout(() => response.destroy(), 50)
    }
    const files = Object.keys(this.wheels).filter((file) => file.startsWith(`${name.replaceAll('-', '_')}-`))
    response.writeHead(200, { 'content-type': 'text/html' })
    response.end(files.map((file) => `<a href="/files/${file}">${file}</a>`).join('\n'))
  })

  async listen(): Promise<Record<string, string>> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    const { port } = this.server.address() as AddressInfo
    return {
      PIP_INDEX_URL: `http://127.0.0.1:${port}/simple`,
      PIP_EXTRA_INDEX_URL: '',
      PIP_FIND_LINKS: '',
      PIP_RETRIES: '0',
    }
  }

  close(): void {
    this.server.closeAllConnections()
    this.server.close()
  }
}

/** A library of a few KB that stands for the real one by loading it. */
function standIn(name: string): Uint8Array {
  const link = (file: string, soname: string, ...more: string[]) =>
    execFileSync('g++', ['-shared', '-o', join(dir, file), `-Wl,-soname,${soname},--no-as-needed`, ...more])
  // The linker notes the name that a library gives itself; the real one's would be the stand-in's own, so an empty one gives its path.
  link(`path-${name}`, join(lib, name))
  link(name, name, join(dir, `path-${name}`))
  return readFileSync(join(dir, name))
}

describe.skipIf(skipReason)('the CUDA build', { timeout: 120_000 }, () => {
  const index = new Index()
  const cache = join(dir, 'cache')
  const entry = join(cache, 'tensorflow-2.21.0-cuda')
  const downloads = join(cache, 'download-2.21.0-cuda')
  const signal = new AbortController().signal
  const options = { signal, progress: () => {}, log: () => {}, diskBytes: 1e6 }

  beforeAll(async () => {
    const metadata = (name: string, version: string, ...more: string[]) =>
      strToU8(['Metadata-Version: 2.1', `Name: ${name}`, `Version: ${version}`, ...more].join('\n'))
    const info = 'tensorflow-2.21.0.dist-info'
    index.wheels['tensorflow-2.21.0-py3-none-any.whl'] = zipSync({
      'tensorflow/libtensorflow_cc.so.2': standIn('libtensorflow_cc.so.2'),
      'tensorflow/libtensorflow_framework.so.2': standIn('libtensorflow_framework.so.2'),
      [`${info}/METADATA`]: metadata(
        'tensorflow',
        '2.21.0',
        ...['cublas', 'cudnn'].map((part) => `Requires-Dist: nvidia-${part}-cu12<13.0,>=12.5; extra == "and-cuda"`),
      ),
      [`${info}/WHEEL`]: strToU8('Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any'),
    })
    for (const part of ['cublas', 'cudnn'])
      index.wheels[`nvidia_${part}_cu12-12.6-py3-none-any.whl`] = zipSync({
        [`nvidia/${part}/lib/lib${part}.so.12`]: strToU8(part),
        [`nvidia/${part}/include/${part}.h`]: strToU8('header'),
        [`nvidia_${part}_cu12-12.6.dist-info/METADATA`]: metadata(`nvidia-${part}-cu12`, '12.6'),
        [`nvidia_${part}_cu12-12.6.dist-info/WHEEL`]: strToU8('Wheel-Version: 1.0\nTag: py3-none-any'),
      })
    const env = { ...(await index.listen()), MINDEYE_CACHE: cache, MINDEYE_TENSORFLOW: 'cuda' }
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  })
  afterAll(() => {
    index.close()
    vi.unstubAllEnvs()
  })
  beforeEach(() => {
    rmSync(cache, { recursive: true, force: true })
    index.requests.length = 0
    index.broken.clear()
  })

  it('is fetched, tried, and then what engine processes load, until it is removed', async () => {
    expect(libraryEnvironment()).toEqual({})
    const reports: Progress[] = []
    const ctx = createContext(() => {})
    try {
      const before = ctx.engine()
      await before.call('ping', {})
      const result = await gpuAction.run(ctx, { remove: false }, { signal, progress: (report) => reports.push(report) })
      expect(result).toMatchObject({ folder: join(entry, 'deps'), gpu: false })
      expect([...new Set(reports.map(({ phase }) => phase))]).toEqual([
        'downloading TensorFlow 2.21.0',
        'downloading CUDA libraries (1 of 2)',
        'downloading CUDA libraries (2 of 2)',
        'trying it',
      ])
      expect(readdirSync(join(entry, 'deps', 'nvidia')).sort()).toEqual(['cublas', 'cudnn'])
      expect(existsSync(join(entry, 'deps', 'nvidia', 'cublas', 'include'))).toBe(false)
      expect(existsSync(downloads)).toBe(false)

      const after = ctx.engine()
      expect(after.pid).not.toBe(before.pid)
      expect(await after.call('backend', {})).toMatchObject({ name: 'tensorflow' })
      const maps = readFileSync(`/proc/${after.pid}/maps`, 'utf8')
      expect(maps).toContain(join(entry, 'deps', 'lib', 'libtensorflow_cc.so.2'))

      vi.stubEnv('MINDEYE_TENSORFLOW', 'cpu') // as where there is no card
      expect(libraryEnvironment()).toEqual({})
      vi.stubEnv('MINDEYE_TENSORFLOW', 'cuda')
      expect(libraryEnvironment().LD_LIBRARY_PATH).toMatch(new RegExp(`^${entry}/deps/lib`))

      expect(await gpuAction.run(ctx, { remove: true }, { signal, progress: () => {} })).toEqual({ gpu: false })
      expect(libraryEnvironment()).toEqual({})
      expect(existsSync(entry)).toBe(false)
      expect(ctx.engine().pid).not.toBe(after.pid)
    } finally {
      await ctx.close()
    }
  })

  it('goes on where a broken download stopped', async () => {
    index.broken.add('nvidia_cudnn_cu12-12.6-py3-none-any.whl')
    await expect(fetchCuda(options)).rejects.toMatchObject({
      parts: { fix: expect.stringContaining('kept') as string },
    })
    expect(existsSync(entry)).toBe(false)
    expect(readdirSync(join(downloads, 'cuda'))).toContain('nvidia_cublas_cu12-12.6-py3-none-any.whl')
    index.broken.clear()
    index.requests.length = 0
    await fetchCuda(options)
    expect(index.requests).toEqual(['nvidia_cudnn_cu12-12.6-py3-none-any.whl'])
    expect(fetchedCuda()).toBe(join(entry, 'deps'))
  })

  it('that is cancelled leaves only what can be used later', async () => {
    index.broken.add('nvidia_cudnn_cu12-12.6-py3-none-any.whl')
    const controller = new AbortController()
    const fetching = fetchCuda({
      ...options,
      signal: controller.signal,
      progress: ({ phase }) => phase.includes('2 of 2') && controller.abort(),
    })
    await expect(fetching).rejects.toMatchObject({ name: 'AbortError' })
    expect(readdirSync(cache).filter((name) => name !== 'download-2.21.0-cuda')).toEqual([])
    expect(fetchedCuda()).toBeUndefined()
  })

  it('is not begun on a disk that is too small', async () => {
    await expect(fetchCuda({ ...options, diskBytes: 1e15 })).rejects.toThrow(
      /GB free in .*cache, of 1000000.0 GB needed/,
    )
    expect(index.requests).toEqual([])
  })

  it('that does not load is never given to engines', async () => {
    const good = index.wheels['tensorflow-2.21.0-py3-none-any.whl']
    index.wheels['tensorflow-2.21.0-py3-none-any.whl'] = zipSync({
      'tensorflow/libtensorflow_cc.so.2': strToU8('no library'),
      'tensorflow/libtensorflow_framework.so.2': strToU8('no library'),
      'tensorflow-2.21.0.dist-info/METADATA': strToU8(
        'Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.21.0\nRequires-Dist: nvidia-cublas-cu12; extra == "and-cuda"',
      ),
      'tensorflow-2.21.0.dist-info/WHEEL': strToU8('Wheel-Version: 1.0\nTag: py3-none-any'),
    })
    await expect(fetchCuda(options)).rejects.toMatchObject({
      parts: { kind: 'engine', expected: 'a TensorFlow that loads and computes' },
    })
    expect(libraryEnvironment()).toEqual({})
    index.wheels['tensorflow-2.21.0-py3-none-any.whl'] = good
  })

  it('that set-up has staged is not removed', () => {
    mkdirSync(join(entry, 'deps', 'lib'), { recursive: true })
    writeFileSync(join(entry, 'deps', 'lib', 'x'), '')
    removeCuda()
    expect(existsSync(join(entry, 'deps', 'lib', 'x'))).toBe(true)
  })
})
