/** What a file of weights is: the state dict in it, the network it belongs to, and what was saved with it. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ArrayEntry } from '../../formats/array.ts'
import { renamed } from '../../formats/array.ts'
import { Inert } from '../../formats/inert.ts'
import type { TorchValue } from '../../formats/torchTree.ts'
import { openWeights } from '../../formats/weights.ts'
import type { WeightsFile } from '../../formats/weights.ts'
import type { ConfigBeside, Described, KindId } from './kind.ts'
import { kinds } from './kinds.ts'

export interface Checkpoint extends Described {
  file: WeightsFile
  kind: KindId
  title: string
  /** Where the state dict stands in the file (`model_state_dict`), empty when it is the file, and what its names begin with (`module.`). */
  stateDict: string
  prefix: string
  /** Tensors beside the state dict, such as the optimizer's. */
  others: readonly ArrayEntry[]
  epoch?: number
  trainLosses?: number[]
  validationLosses?: number[]
}

/** Keys under which training scripts keep a model's weights. */
const stateDictKeys = ['model_state_dict', 'state_dict', 'model', 'module', 'net_state_dict']
/** What wrappers put before all names: DataParallel and DistributedDataParallel, torch.compile. */
const wrappers = /^(?:module\.|_orig_mod\.)/
const maxConfig = 2 ** 24

/** Opens a file of weights of any kind and recognises the network; the caller closes `file`. */
export function openCheckpoint(path: string): Checkpoint {
  const file = openWeights(path)
  try {
    return recognise(file, path)
  } catch (error) {
    file.close()
    throw error
  }
}

function recognise(file: WeightsFile, path: string): Checkpoint {
  const top = file.value instanceof Map ? file.value : undefined
  const stateDict = stateDictKeys.find((key) => top?.get(key) instanceof Map) ?? ''
  const isInside = ({ name }: ArrayEntry) => name.startsWith(`${stateDict}.`)
  const inside = stateDict ? file.arrays.filter(isInside) : file.arrays
  const others = stateDict ? file.arrays.filter((array) => !isInside(array)) : []
  const { prefix, arrays } = unwrapped(
    stateDict ? inside.map((array) => renamed(array, array.name.slice(stateDict.length + 1))) : inside,
  )
  const names = new Set(arrays.map(({ name }) => name))
  const kind = kinds.find(({ matches }) => matches((name) => names.has(name)))
  const described = kind?.describe(arrays, configBeside(path), path) ?? { arrays, config: {} }
  const epoch = top?.get('epoch')
  return {
    file,
    kind: kind?.id ?? 'unknown',
    title: kind?.title ?? 'weights of a network that is not known here',
    ...described,
    ...{ stateDict, prefix, others },
    epoch: typeof epoch === 'number' ? epoch : undefined,
    trainLosses: numbersOf(top?.get('train_losses')),
    validationLosses: numbersOf(top?.get('val_losses')),
  }
}

/** Names without what wrappers put before all of them, and without `voxel2clip.` where the file holds nothing else. */
function unwrapped(given: readonly ArrayEntry[]): { prefix: string; arrays: ArrayEntry[] } {
  let prefix = ''
  let arrays = [...given]
  for (const pattern of [wrappers, wrappers, /^voxel2clip\./]) {
    const [length] = arrays.map(({ name }) => pattern.exec(name)?.[0].length ?? 0)
    if (!length || !arrays.every(({ name }) => pattern.test(name))) continue
    prefix += arrays[0].name.slice(0, length)
    arrays = arrays.map((array) => renamed(array, array.name.slice(length)))
  }
  return { prefix, arrays }
}

function numbersOf(value: TorchValue | undefined): number[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'number') ? value : undefined
}

/** The config.json in the same folder; one that is no JSON object says nothing. */
function configBeside(path: string): ConfigBeside | undefined {
  const config = join(dirname(path), 'config.json')
  if (!existsSync(config) || statSync(config).size > maxConfig) return undefined
  try {
    const json: unknown = JSON.parse(readFileSync(config, 'utf8'))
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined
    return { json: json as Record<string, unknown>, path: config }
  } catch {
    return undefined
  }
}

/** Objects of a PyTorch file that were not made, with the places where they stand, at most `limit`. */
export function inertObjects(value: TorchValue | undefined, limit = 100): { path: string; className: string }[] {
  const found: { path: string; className: string }[] = []
  // Containers may be shared, even by themselves: each is looked into once.
  const seen = new Set<unknown>()
  const visit = (item: TorchValue | undefined, path: string): void => {
    if (found.length >= limit || seen.has(item)) return
    if (item instanceof Inert) found.push({ path, className: item.className })
    if (!(item instanceof Map || item instanceof Set || Array.isArray(item))) return
    seen.add(item)
    const inner = (key: unknown) => (path ? `${path}.${String(key)}` : String(key))
    if (item instanceof Map)
      for (const [key, child] of item) visit(child, inner(key instanceof Inert ? key.className : key))
    else [...item].forEach((child, i) => visit(child, inner(i)))
  }
  visit(value, '')
  return found
}
