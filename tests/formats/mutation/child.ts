/** Child process of the mutation test: makes, writes and reads one mutated file per message, and judges what came back. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { MindEyeError } from '../../../src-main/base/errors.ts'
import { Random } from '../../../src-main/nn/random.ts'
import type { Reply } from './harness.ts'
import { mutate } from './mutations.ts'
import type { Mutation, MutationFormat, Reading } from './mutations.ts'

/** Bytes that the reader asked for since the last reset, whether or not it touched them. */
let asked = 0
watchAllocations()

const [modulePath, seedText, boundText] = process.argv.slice(2)
const bound = Number(boundText)
const { default: format } = (await import(modulePath)) as { default: MutationFormat }
const folder = mkdtempSync(join(tmpdir(), 'mindeye-mutation-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

// Reading the intact files first shows that they are intact and warms up code and heap.
const intact: Reading[][] = []
for (const [i, bytes] of format.seeds.entries()) {
  const path = write(`intact${i}`, bytes)
  intact.push(await format.read(path))
  if (inconsistent(intact[i])) throw new Error(`intact file ${i}: ${inconsistent(intact[i])}`)
}

process.on('message', (index: number) => void tryOne(index).then(send))
process.on('disconnect', () => process.exit())
send({ outcome: 'ready', kind: 'structure' })

/** Each file lies in a folder of its own, so that all have the same name and none is ever replaced while open. */
function write(name: string, bytes: Uint8Array): string {
  mkdirSync(join(folder, name))
  const path = join(folder, name, `file${format.extension}`)
  writeFileSync(path, bytes)
  return path
}

function send(reply: Reply): void {
  process.send?.(reply)
}

async function tryOne(index: number): Promise<Reply> {
  const mutation = mutate(format, index, new Random(Number(seedText)).split(format.name, index))
  const { kind, bytes } = mutation
  const path = write(`mutation${index}`, bytes)
  const peak = process.resourceUsage().maxRSS * 1024
  asked = 0
  let reply: Reply
  try {
    reply = { kind, ...judge(await format.read(path), mutation) }
  } catch (error) {
    reply = { kind, ...judgeError(error, path, mutation) }
  }
  const grown = process.resourceUsage().maxRSS * 1024 - peak
  const allowed = bytes.length * (format.expansion ?? 1) + bound
  if (Math.max(asked, grown) > allowed)
    reply = { kind, outcome: 'memory', detail: `asked for ${asked}, grew by ${grown}, allowed ${allowed}` }
  rmSync(dirname(path), { recursive: true })
  return { ...reply, grown }
}

function judgeError(error: unknown, path: string, mutation: Mutation): Omit<Reply, 'kind'> {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  if (!(error instanceof MindEyeError)) return { outcome: 'untyped', detail: text.slice(0, 600) }
  const { where, field, expected, found } = error.parts
  if (!where?.includes(basename(path, format.extension)) || !field || !expected || !found)
    return { outcome: 'vague', detail: error.message }
  if (mutation.kind === 'elements') return { outcome: 'wrong', detail: `refused for its data: ${error.message}` }
  return { outcome: 'typed' }
}

/** A correct read is one whose shapes hold its data and, when only elements were changed, in which only they differ. */
function judge(readings: Reading[], { kind, seed, changed }: Mutation): Omit<Reply, 'kind'> {
  const fault =
    inconsistent(readings) ?? (kind === 'elements' ? differsBeyond(readings, intact[seed], changed) : undefined)
  return fault ? { outcome: 'wrong', detail: fault } : { outcome: 'correct' }
}

function inconsistent(readings: Reading[]): string | undefined {
  for (const { name, shape, data } of readings) {
    const count = shape.reduce((a, b) => a * b, 1)
    if (data.length !== count) return `${name}: ${data.length} elements for shape [${shape}]`
  }
}

function differsBeyond(readings: Reading[], before: Reading[], changed: number): string | undefined {
  const outline = (list: Reading[]) => JSON.stringify(list.map(({ name, shape }) => [name, shape]))
  if (outline(readings) !== outline(before)) return `${outline(readings)} in place of ${outline(before)}`
  let different = 0
  readings.forEach(({ data }, r) => {
    for (let i = 0; i < data.length; i++) if (!Object.is(data[i], before[r].data[i])) different++
  })
  if (different < 1 || different > changed) return `${different} elements differ after changing ${changed} bytes`
}

/**
 * Counts what readers ask for through typed arrays and buffers: memory that is promised but never touched does not show in the
 * resident set. Installed before a format is loaded.
 */
function watchAllocations(): void {
  type Constructor = new (...args: unknown[]) => object
  const arrays = [Float16Array, Float32Array, Float64Array, Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array]
  for (const type of [...arrays, Uint32Array, BigInt64Array, BigUint64Array, Uint8ClampedArray, Array, ArrayBuffer]) {
    const size = 'BYTES_PER_ELEMENT' in type ? type.BYTES_PER_ELEMENT : type === Array ? 8 : 1
    const counted: Constructor = new Proxy(type as unknown as Constructor, {
      construct(target, args: unknown[], newTarget): object {
        if (typeof args[0] === 'number') asked += args[0] * size
        return Reflect.construct(target, args, newTarget === counted ? target : newTarget) as object
      },
    })
    Object.defineProperty(globalThis, type.name, { value: counted, writable: true, configurable: true })
  }
  for (const name of ['alloc', 'allocUnsafe'] as const) {
    const original = Buffer[name].bind(Buffer)
    Buffer[name] = (size: number, ...rest: []) => {
      asked += size
      return original(size, ...rest)
    }
  }
}
