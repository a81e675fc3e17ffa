/** What can be said about a checkpoint: its parts and sizes, and what is missing, superfluous or damaged. */
import { setImmediate } from 'node:timers/promises'
import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { elementCount } from '../../formats/array.ts'
import type { ArrayEntry, NdArray } from '../../formats/array.ts'
import { stretches } from '../../formats/rows.ts'
import { Parameters } from '../../nn/parameters.ts'
import type { RunOptions } from '../../base/progress.ts'
import type { JsonObject } from '../../workspace/records.ts'
import { inertObjects, openCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Described, KindId } from './kind.ts'

export interface CheckpointSummary {
  path: string
  bytes: number
  format: 'safetensors' | 'torch'
  kind: KindId
  title: string
}

export interface CheckpointInspection extends CheckpointSummary {
  stateDict: string
  prefix: string
  tensors: number
  /** As PyTorch counts them: an array that is saved several times is one, and buffers are none. */
  parameters: number
  parts: { name: string; tensors: number; parameters: number }[]
  /** Tensors by element type. */
  dtypes: Record<string, number>
  config: JsonObject
  epoch?: number
  losses?: { train?: LossSummary; validation?: LossSummary }
  metadata: Record<string, string>
  /** Tensors beside the model's by the first part of their names, e.g. optimizer_state_dict. */
  others: { name: string; tensors: number }[]
  /** Python objects that were not made, at most 100. */
  inert: { path: string; className: string }[]
}

interface LossSummary {
  count: number
  last: number
}

export interface CheckpointVerdict extends CheckpointSummary {
  ok: boolean
  /** Whether there was anything to compare names with. */
  known: boolean
  tensors: number
  missing: { name: string; shape: number[] }[]
  extra: { name: string; shape: number[] }[]
  misshaped: { name: string; expected: number[]; found: number[] }[]
  notFinite: { name: string; nan: number; infinite: number }[]
}

interface Expected {
  name: string
  shape: number[]
  /** A file may leave it out. */
  isOptional: boolean
  /** It is another name of a parameter that was listed before. */
  isAlias: boolean
}

/** Every parameter of the recognised network under each of its names; undefined where they do not follow from the file. */
export function expectedParameters({ declare }: Described): Expected[] | undefined {
  if (!declare) return undefined
  const parameters = new Parameters()
  declare(parameters)
  return [...parameters].flatMap(({ name, also, shape, isKnown }) =>
    [name, ...also].map((key) => ({ name: key, shape: [...shape], isOptional: isKnown, isAlias: key !== name })),
  )
}

export function inspectCheckpoint(path: string): CheckpointInspection {
  const checkpoint = openCheckpoint(path)
  try {
    const { arrays, file, stateDict, prefix, config, epoch, trainLosses, validationLosses } = checkpoint
    const uncounted = uncountedNames(checkpoint)
    const parts = groups(arrays).map(({ name, members }) => ({
      ...{ name, tensors: members.length },
      parameters: total(members.filter((array) => !uncounted(array.name))),
    }))
    const dtypes = Map.groupBy(arrays, ({ dtype }) => dtype)
    const losses = { train: summary(trainLosses), validation: summary(validationLosses) }
    return {
      ...summaryOf(checkpoint, path),
      ...{ stateDict, prefix, tensors: arrays.length, parts, config, epoch },
      parameters: parts.reduce((sum, part) => sum + part.parameters, 0),
      dtypes: Object.fromEntries([...dtypes].map(([dtype, { length }]) => [dtype, length])),
      losses: losses.train || losses.validation ? losses : undefined,
      metadata: file.metadata,
      others: groups(checkpoint.others).map(({ name, members }) => ({ name, tensors: members.length })),
      inert: inertObjects(file.value),
    }
  } finally {
    checkpoint.file.close()
  }
}

/** Compares names and shapes with those of the recognised network, and looks at every number. */
export async function verifyCheckpoint(path: string, { signal, progress }: RunOptions): Promise<CheckpointVerdict> {
  const checkpoint = openCheckpoint(path)
  try {
    const { arrays } = checkpoint
    const found = new Map(arrays.map((array) => [array.name, array]))
    const expected = expectedParameters(checkpoint)
    const published = new Set(expected?.map(({ name }) => name) ?? found.keys())
    const missing = (expected ?? []).filter(({ name, isOptional }) => !isOptional && !found.has(name))
    const misshaped = (expected ?? []).flatMap(({ name, shape }) => {
      const array = found.get(name)
      return array && `${array.shape}` !== `${shape}` ? [{ name, expected: shape, found: array.shape }] : []
    })
    const extra = arrays.filter(({ name }) => !published.has(name))
    const notFinite: CheckpointVerdict['notFinite'] = []
    for (const [done, array] of arrays.entries()) {
      progress({ phase: 'look at every number', done, total: arrays.length })
      const counts = { nan: 0, infinite: 0 }
      for (const part of stretches(array)) {
        countNotFinite(part, counts)
        await setImmediate()
        signal.throwIfAborted()
      }
      if (counts.nan || counts.infinite) notFinite.push({ name: array.name, ...counts })
    }
    const known = expected !== undefined
    return {
      ...summaryOf(checkpoint, path),
      ok: known && !missing.length && !misshaped.length && !extra.length && !notFinite.length,
      ...{ known, tensors: arrays.length, misshaped, notFinite },
      missing: missing.map(({ name, shape }) => ({ name, shape })),
      extra: extra.map(({ name, shape }) => ({ name, shape })),
    }
  } finally {
    checkpoint.file.close()
  }
}

const summaryOf = ({ file, kind, title }: Checkpoint, path: string): CheckpointSummary => ({
  ...{ path, format: file.kind, kind, title },
  bytes: file.files.reduce((sum, name) => sum + statSync(join(dirname(path), name)).size, 0),
})

/** Which names are no parameters of their own: buffers of the noise schedule, and further names of a shared array. */
function uncountedNames(checkpoint: Checkpoint): (name: string) => boolean {
  const aliases = new Set(
    (expectedParameters(checkpoint) ?? []).flatMap(({ name, isAlias }) => (isAlias ? [name] : [])),
  )
  return (name) => aliases.has(name) || name.startsWith('noise_scheduler.')
}

const total = (arrays: readonly ArrayEntry[]): number => arrays.reduce((sum, { shape }) => sum + elementCount(shape), 0)

const summary = (losses: number[] | undefined): LossSummary | undefined =>
  losses?.length ? { count: losses.length, last: losses[losses.length - 1] } : undefined

/** Arrays by the first part of their names, in order. */
function groups(arrays: readonly ArrayEntry[]): { name: string; members: ArrayEntry[] }[] {
  const byName = Map.groupBy(arrays, ({ name }) => name.split('.', 1)[0])
  return [...byName].map(([name, members]) => ({ name, members }))
}

/** Exponents of all ones mean NaN or infinity; the bits of the number behind them tell which. */
const exponents = {
  float16: { words: Uint16Array, exponent: 0x7c00, mantissa: 0x3ff },
  bfloat16: { words: Uint16Array, exponent: 0x7f80, mantissa: 0x7f },
  float32: { words: Uint32Array, exponent: 0x7f800000, mantissa: 0x7fffff },
} as const

/** Adds the numbers of an array that are NaN or infinite. */
export function countNotFinite({ dtype, data }: NdArray, counts: { nan: number; infinite: number }): void {
  if (dtype === 'float64') {
    for (const x of data as Float64Array) if (!Number.isFinite(x)) counts[Number.isNaN(x) ? 'nan' : 'infinite']++
    return
  }
  if (!(dtype === 'float16' || dtype === 'bfloat16' || dtype === 'float32')) return
  const { words, exponent, mantissa } = exponents[dtype]
  const bits = new words(data.buffer, data.byteOffset, data.length)
  // A billion numbers pass here, and an iterator would take several times as long.
  for (let i = 0; i < bits.length; i++)
    if ((bits[i] & exponent) === exponent) counts[bits[i] & mantissa ? 'nan' : 'infinite']++
}
