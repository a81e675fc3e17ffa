import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { openSafetensors } from '../../src-main/formats/safetensors.ts'
import { openFile } from '../../src-main/formats/source.ts'

const root = process.env.MINDEYE_FIXTURES ?? join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures')

interface Tolerances {
  atol: number
  rtol: number
  by_prefix?: Record<string, { atol: number; rtol: number }>
}
export interface FormulaKey {
  key: string
  p: number
  shape: number[]
  fan_in: number
  scale: number
  offset: number
}
export interface FixtureCase {
  name: string
  /** Absolute path of the case, for what it holds beside the recorded tensors. */
  folder: string
  config: Record<string, unknown>
  tolerances: Tolerances & Record<string, number>
  /** `stride` per `#strided` tensor and the like, as recorded. */
  notes: Record<string, { shape: number[]; stride?: number }>
  stats: Record<string, Record<string, number>>
  tensors: Map<string, { shape: number[]; data: Float32Array<ArrayBuffer> }>
  /** Weights by state-dict key, stored or from the formula. */
  weights: Map<string, { shape: number[]; data: Float32Array<ArrayBuffer> }>
}

/** The recorded weights are a hash of element index, parameter index and seed; see tests/fixtures/README.md. */
export function formulaWeights(seed: number, { p, shape, scale, offset }: FormulaKey): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => {
    let h = (Math.imul(i, 2654435761) + Math.imul(p, 40503) + seed) >>> 0
    h ^= h >>> 16
    h = Math.imul(h, 0x7feb352d)
    h ^= h >>> 15
    h = Math.imul(h, 0x846ca68b)
    h ^= h >>> 16
    return ((h >>> 0) / 2 ** 32) * 2 * scale - scale + offset
  })
}

/** Every case of a kind in the folder named by MINDEYE_FIXTURES (default tests/fixtures). */
export function fixtureCases(kind: string, matches: (name: string) => boolean = () => true): FixtureCase[] {
  const folder = join(root, kind)
  if (!existsSync(folder)) throw new Error(`no fixtures of kind ${kind} in ${root}`)
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'case.json')) && matches(name))
    .map((name) => {
      const json = JSON.parse(readFileSync(join(folder, name, 'case.json'), 'utf8')) as {
        config: Record<string, unknown>
        tolerances: FixtureCase['tolerances']
        tensors: FixtureCase['notes']
        formula_weights?: { seed: number; keys: FormulaKey[] }
        grad_stats?: FixtureCase['stats']
        final_stats?: FixtureCase['stats']
        output_stats?: FixtureCase['stats']
      }
      const file = openSafetensors(openFile(join(folder, name, 'tensors.safetensors')))
      const { seed = 0, keys = [] } = json.formula_weights ?? {}
      const fixture: FixtureCase = {
        name,
        folder: join(folder, name),
        config: json.config,
        tolerances: json.tolerances,
        notes: json.tensors,
        stats: json.grad_stats ?? json.final_stats ?? json.output_stats ?? {},
        tensors: new Map(
          file.arrays.map((array) => [
            array.name,
            { shape: array.shape, data: Float32Array.from(array.read().data as Float32Array) },
          ]),
        ),
        weights: new Map(keys.map((key) => [key.key, { shape: key.shape, data: formulaWeights(seed, key) }])),
      }
      for (const [key, tensor] of fixture.tensors)
        if (key.startsWith('weights.')) fixture.weights.set(key.slice('weights.'.length), tensor)
      file.close()
      return fixture
    })
}

/** Compares gradients by name with `PREFIX + name` (whole or its first 16 numbers) and with the recorded length of all of it. */
export function expectGradients(
  { tensors, stats, tolerances }: FixtureCase,
  prefix: string,
  gradients: ReadonlyMap<string, Float32Array>,
): void {
  const recorded = [...tensors.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
  expect([...gradients.keys()].sort()).toEqual([...new Set(recorded.map((key) => key.split('#')[0]))].sort())
  for (const [name, gradient] of gradients) {
    const key = `${prefix}${name}`
    const whole = tensors.get(key)
    if (whole) expectClose(gradient, whole.data, tolerances, key)
    else expectClose(gradient.subarray(0, 16), tensors.get(`${key}#first16`)!.data, tolerances, key)
    const expected = stats[key] ?? stats[name]
    if (!expected) continue
    const l2 = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0))
    expect(Math.abs(l2 - expected.l2), `l2 of ${key}`).toBeLessThanOrEqual(10 * tolerances.rtol * expected.l2 + 1e-12)
  }
}

/** Fails unless max|a − b| ≤ atol + rtol · max|ref|. */
export function expectClose(
  actual: ArrayLike<number>,
  reference: ArrayLike<number>,
  tolerance: Tolerances,
  name: string,
): void {
  expect(actual.length, `${name}: length`).toBe(reference.length)
  const special =
    Object.entries(tolerance.by_prefix ?? {}).find(([prefix]) => name.startsWith(prefix))?.[1] ?? tolerance
  let [worst, largest] = [0, 0]
  for (let i = 0; i < reference.length; i++) {
    // A NaN on either side must fail, and Math.max would keep it.
    worst = Math.max(worst, Math.abs(actual[i] - reference[i]))
    largest = Math.max(largest, Math.abs(reference[i]))
  }
  expect(worst, `${name}: largest difference, reference up to ${largest}`).toBeLessThanOrEqual(
    special.atol + special.rtol * largest,
  )
}
