/** Checkpoints as safetensors with a config.json: what other tools load, without anything that would have to be run. */
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { MindEyeError } from '../../base/errors.ts'
import { openAtomic, writeFileAtomic } from '../../base/files.ts'
import type { RunOptions } from '../../base/progress.ts'
import { elementCount } from '../../formats/array.ts'
import type { ArrayEntry, DType, NdArray } from '../../formats/array.ts'
import { itemSize, toBytes, toFloat32 } from '../../formats/elements.ts'
import { stretches } from '../../formats/rows.ts'
import { safetensorsHeader } from '../../formats/safetensors.ts'
import { openCheckpoint } from './checkpoint.ts'
import type { KindId } from './kind.ts'

/** What numbers with a fraction become; whole numbers stay as they are. */
export type TargetType = 'keep' | 'float32' | 'float16' | 'bfloat16'

export interface Conversion {
  kind: KindId
  title: string
  weights: string
  config: string
  tensors: number
  bytes: number
  /** Tensors beside the model's, which were left out. */
  leftOut: number
}

/** Where the two files go: into a folder, or where `out` names the weights, those and a config.json beside them. */
export function destination(path: string, out?: string): { weights: string; config: string } {
  const target = out ?? path.slice(0, path.length - extname(path).length)
  const weights = target.endsWith('.safetensors') ? target : join(target, 'model.safetensors')
  const config = join(dirname(weights), 'config.json')
  const folder = dirname(weights)
  const taken = [weights, config].filter((file) => existsSync(file))
  if (existsSync(folder) && !statSync(folder).isDirectory()) taken.push(folder)
  if (taken.length)
    throw new MindEyeError({
      kind: 'input',
      where: '--out',
      expected: 'a place where nothing is overwritten',
      found: `that ${taken.join(', ')} ${taken.length > 1 ? 'exist' : 'exists'} already`,
      fix: 'Name another folder with --out.',
    })
  return { weights, config }
}

/**
 * Writes the model's arrays under their published names, streamed and atomically, and its sizes; the optimizer's are left out.
 * Throws an input error when files would be overwritten.
 */
export async function convertCheckpoint(
  { path, out, dtype }: { path: string; out?: string; dtype: TargetType },
  options: RunOptions,
): Promise<Conversion> {
  const { weights, config: configPath } = destination(path, out)
  const checkpoint = openCheckpoint(path)
  try {
    const { arrays, kind, title, config, epoch, trainLosses, validationLosses, others } = checkpoint
    mkdirSync(dirname(weights), { recursive: true })
    const bytes = await writeArrays(weights, arrays, dtype, options)
    const ours = { format: 'mindeye', kind, ...config, epoch, trainLosses, validationLosses, source: basename(path) }
    // A network of a public folder keeps the words by which other libraries know it.
    const facts = config.architectures || config._class_name ? config : ours
    writeFileAtomic(configPath, `${JSON.stringify(facts, null, 2)}\n`)
    return { kind, title, weights, config: configPath, tensors: arrays.length, bytes, leftOut: others.length }
  } finally {
    checkpoint.file.close()
  }
}

const targetOf = (dtype: DType, target: TargetType): DType =>
  target !== 'keep' && ['float64', 'float32', 'float16', 'bfloat16'].includes(dtype) ? target : dtype

async function writeArrays(
  path: string,
  arrays: readonly ArrayEntry[],
  target: TargetType,
  { signal, progress }: RunOptions,
): Promise<number> {
  const tensors = arrays.map(({ name, dtype, shape }) => ({ name, shape, dtype: targetOf(dtype, target) }))
  const header = safetensorsHeader(tensors, { format: 'pt' })
  const total = tensors.reduce((sum, { shape, dtype }) => sum + elementCount(shape) * itemSize(dtype), header.length)
  const file = openAtomic(path)
  try {
    file.write(header)
    let done = header.length
    for (const [i, array] of arrays.entries())
      for (const part of stretches(array)) {
        const bytes = toBytes(converted(part, tensors[i].dtype))
        file.write(bytes)
        done += bytes.length
        progress({ phase: 'write the weights', done, total })
        await setImmediate()
        signal.throwIfAborted()
      }
  } catch (error) {
    file.discard()
    throw error
  }
  file.commit()
  return total
}

/** Numbers in another type of floating point, rounded to nearest, ties to even. */
export function converted(part: NdArray, dtype: DType): NdArray['data'] {
  if (part.dtype === dtype) return part.data
  if (dtype === 'float16') return Float16Array.from(part.dtype === 'bfloat16' ? toFloat32(part) : (part.data as Float64Array)) // prettier-ignore
  const floats = toFloat32(part)
  return dtype === 'bfloat16' ? toBfloat16(floats) : floats
}

/** The upper half of each float32, rounded by the lower; a NaN stays one. */
function toBfloat16(floats: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length)
  return Uint16Array.from(bits, (word) =>
    (word & 0x7fffffff) > 0x7f800000 ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16,
  )
}
