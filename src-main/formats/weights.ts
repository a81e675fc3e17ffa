/** One door to files of weights: safetensors and PyTorch, whole or in shards behind an index, told apart by their content. */
import { readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { formatError } from '../base/errors.ts'
import { openSafetensors } from './safetensors.ts'
import type { ArrayEntry, ArrayFile } from './array.ts'
import { openFile } from './source.ts'
import type { ByteSource } from './source.ts'
import { openTorchFile } from './torchFile.ts'
import type { TorchValue } from './torchTree.ts'

export interface WeightsFile extends ArrayFile {
  kind: 'safetensors' | 'torch'
  /** As the file names them; in a training checkpoint of PyTorch with the path to each, e.g. `model_state_dict.lin0.0.weight`. */
  arrays: ArrayEntry[]
  /** Texts beside the weights (safetensors). */
  metadata: Record<string, string>
  /** The saved object of a PyTorch file that is not in shards. */
  value?: TorchValue
  /** Names of the files that hold the weights. */
  files: string[]
}

const maxIndexLength = 64 * 2 ** 20

/**
 * Opens `.safetensors`, `.pth`, `.pt`, `.ckpt`, `.bin`, `.tar` (as PyTorch saves them), or the `.index.json` of either in shards that lie
 * beside it. Nothing but names and shapes is read. Throws a format error for any other file and for missing shards or tensors.
 */
export function openWeights(path: string): WeightsFile {
  const whole = openWhole(path)
  if (whole) return whole
  const source = openFile(path)
  try {
    return openShards(path, weightMap(source))
  } finally {
    source.close()
  }
}

/** A file that holds the weights itself; undefined for what may be an index. */
function openWhole(path: string): WeightsFile | undefined {
  if (statSync(path).isDirectory())
    throw formatError(path, 'weights', 'a file', 'a folder', 'Name the file of weights inside it.')
  const source = openFile(path)
  const files = [source.name]
  try {
    const head = Buffer.from(source.read(0, Math.min(16, source.size), 'beginning'))
    if (isSafetensors(head)) return { ...openSafetensors(source), kind: 'safetensors', files }
    if (isTorch(head)) return { ...openTorchFile(source), kind: 'torch', metadata: {}, files }
    if (!/^\s*\{/.test(head.toString('latin1')))
      throw formatError(
        source.name,
        'beginning',
        'safetensors, a PyTorch checkpoint or the index of a model in shards',
        head.length ? `the bytes ${head.toString('hex', 0, 8)}` : 'an empty file',
      )
  } catch (error) {
    source.close()
    throw error
  }
  source.close()
  return undefined
}

/** The JSON header follows 8 bytes of length; a file of safetensors that is damaged further on is still one. */
const isSafetensors = (head: Buffer): boolean => head.length > 8 && head[8] === 0x7b && head.readUInt16LE(6) === 0

const isTorch = (head: Buffer): boolean =>
  head.toString('latin1', 0, 4) === 'PK\x03\x04' || (head[0] === 0x80 && head[1] >= 2 && head[1] <= 5)

/** Which shard holds each tensor. */
function weightMap(source: ByteSource): Map<string, string> {
  if (source.size > maxIndexLength)
    throw formatError(source.name, 'size', `at most ${maxIndexLength} bytes of JSON`, `${source.size}`)
  let index: unknown
  try {
    index = JSON.parse(readFileSync(source.path!, 'utf8'))
  } catch (cause) {
    throw formatError(source.name, 'content', 'JSON', cause instanceof Error ? cause.message.slice(0, 120) : 'none')
  }
  const map = (index as { weight_map?: unknown }).weight_map
  const shards = typeof map === 'object' && map !== null ? Object.entries(map) : []
  if (!shards.length)
    throw formatError(
      source.name,
      'weight_map',
      'the shard of each tensor',
      'none',
      'It is no index of a model in shards; name the file of weights itself.',
    )
  for (const [name, shard] of shards)
    if (typeof shard !== 'string' || shard !== basename(shard) || shard.includes('\\'))
      throw formatError(
        source.name,
        `weight_map, ${name}`,
        'the name of a file beside the index',
        JSON.stringify(shard),
      )
  return new Map(shards as [string, string][])
}

function openShards(index: string, map: Map<string, string>): WeightsFile {
  const files = [...new Set(map.values())].sort()
  const missing = files.filter((file) => !statSync(join(dirname(index), file), { throwIfNoEntry: false })?.isFile())
  if (missing.length)
    throw formatError(
      basename(index),
      'weight_map',
      `${files.length} files beside it`,
      `that ${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing`,
      'Download all shards into one folder.',
    )
  const opened: WeightsFile[] = []
  const close = () => opened.forEach((shard) => shard.close())
  try {
    for (const file of files) {
      const shard = openWhole(join(dirname(index), file))
      if (!shard) throw formatError(basename(index), `weight_map, ${file}`, 'a file of weights', 'an index')
      opened.push(shard)
    }
    const arrays = opened.flatMap((shard, i) => shard.arrays.filter(({ name }) => map.get(name) === files[i]))
    const found = new Set(arrays.map(({ name }) => name))
    const absent = [...map].filter(([name]) => !found.has(name)).map(([name, file]) => `${name} in ${file}`)
    if (absent.length)
      throw formatError(
        basename(index),
        'weight_map',
        `${map.size} tensors in the shards`,
        `that ${absent.length} are missing: ${absent.slice(0, 10).join(', ')}${absent.length > 10 ? ', …' : ''}`,
      )
    const metadata = Object.assign({}, ...opened.map((shard) => shard.metadata)) as Record<string, string>
    return { kind: opened[0].kind, arrays, metadata, files, close }
  } catch (error) {
    close()
    throw error
  }
}
