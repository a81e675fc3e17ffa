/**
 * Checkpoints of `torch.save`: the zip archives of PyTorch 1.6 and later and the files of earlier ones. They are pickles, which may ask
 * for any Python code to be run; here nothing is (see `pickle.ts`). Tensors stay in the file until they are read.
 */
import { formatError } from '../base/errors.ts'
import type { ArrayEntry, ArrayFile } from './array.ts'
import { describeValue } from './inert.ts'
import { readPickle } from './pickle.ts'
import { openSlice } from './source.ts'
import type { ByteSource } from './source.ts'
import { isCount, parseIdentity, Storage, storageItemSize, tensorConstructors } from './torchTensor.ts'
import type { StorageIdentity } from './torchTensor.ts'
import { nameTensors } from './torchTree.ts'
import type { TorchValue } from './torchTree.ts'
import { readZip } from './zip.ts'

export interface TorchFile extends ArrayFile {
  /** Every tensor of the object tree, named by its path: `model_state_dict.net.learned_query`, or the key alone in a bare state dict. */
  arrays: ArrayEntry[]
  /** The saved object: dictionaries as Map, lists and tuples as arrays, tensors as entries, other objects inert. */
  value: TorchValue
}

const magic = 0x1950a86a20f9469cfc6cn
const protocolVersion = 1001

/** Opens a checkpoint of any version of PyTorch. Throws a format error that says what is missing, damaged or refused. */
export function openTorchFile(source: ByteSource): TorchFile {
  const head = Buffer.from(source.read(0, Math.min(4, source.size), 'beginning'))
  const isZip = head.toString('latin1') === 'PK\x03\x04'
  const isPickle = head[0] === 0x80 && head[1] >= 2 && head[1] <= 5
  if (!isZip && !isPickle)
    throw formatError(
      source.name,
      'beginning',
      'a zip archive or a pickle, as torch.save writes them',
      head.length ? `the bytes ${head.toString('hex')}` : 'an empty file',
      'It is no PyTorch checkpoint.',
    )
  const object = isZip ? readArchive(source) : readLegacy(source)
  const { value, arrays } = nameTensors(source.name, object)
  return { value, arrays, close: () => source.close() }
}

/** `NAME/data.pkl` with one member `NAME/data/KEY` for each storage. */
function readArchive(source: ByteSource): unknown {
  const where = source.name
  const members = new Map(readZip(source).map((member) => [member.name, member]))
  const pickle = [...members.keys()].find((name) => /^[^/]*\/data\.pkl$/.test(name))
  if (pickle === undefined)
    throw formatError(
      where,
      'archive',
      'a member NAME/data.pkl',
      `${[...members.keys()].slice(0, 5).join(', ') || 'no members'}`,
      'It is a zip archive, but no PyTorch checkpoint.',
    )
  const stored = (name: string): ByteSource => {
    const member = members.get(name)
    if (!member) throw formatError(where, name, 'a member of that name', 'none', 'The checkpoint is not whole.')
    if (member.deflated) throw formatError(where, name, 'a member stored as it is', 'a compressed one')
    return member.content()
  }
  const folder = pickle.slice(0, -'data.pkl'.length)
  const order = members.has(`${folder}byteorder`) ? textOf(stored(`${folder}byteorder`)) : 'little'
  if (order !== 'little' && order !== 'big')
    throw formatError(where, 'byteorder', 'little or big', JSON.stringify(order))

  const storages = new Map<string, Storage>()
  const persistent = (identity: unknown) => {
    const { type, key, count } = parseIdentity(where, identity)
    const known = storages.get(key)
    if (known) return known
    const bytes = stored(`${folder}data/${key}`)
    checkSize(where, key, bytes.size, count * storageItemSize(type))
    const storage = new Storage(type, key, bytes, order === 'little')
    storages.set(key, storage)
    return storage
  }
  return readPickle(stored(pickle), 0, { persistent, constructors: tensorConstructors(where) }).value
}

const textOf = (source: ByteSource): string => Buffer.from(source.read(0, Math.min(16, source.size))).toString('latin1')

function checkSize(where: string, key: string, found: number, expected: number): void {
  if (found < expected)
    throw formatError(where, `storage ${key.slice(0, 40)}`, `${expected} bytes`, `${found}`, 'The file is damaged.')
}

/** Five pickles (magic number, version, system, object, keys of storages), then each storage: its length and its elements. */
function readLegacy(source: ByteSource): unknown {
  const where = source.name
  const constructors = tensorConstructors(where)
  let position = 0
  const next = (persistent?: (identity: unknown) => unknown) => {
    const { value, end } = readPickle(source, position, { persistent, constructors })
    position = end
    return value
  }
  const first = next()
  if (first !== magic)
    throw formatError(
      where,
      'magic number',
      `${magic}`,
      describeValue(first),
      'It is a pickle, but not one that torch.save wrote.',
    )
  const version = next()
  if (version !== protocolVersion) throw formatError(where, 'version', `${protocolVersion}`, describeValue(version))
  next()

  // The object comes before the storages, whose places are known only then.
  const roots = new Map<string, { type: string; count: number; bytes: ByteSource }>()
  const persistent = (identity: unknown) => {
    const { type, key, count, view } = parseIdentity(where, identity)
    const root = roots.get(key) ?? { type, count, bytes: pendingSource(where, key, count * storageItemSize(type)) }
    roots.set(key, root)
    return new Storage(type, key, root.bytes, true, viewOffset(where, count, view))
  }
  const object = next(persistent)
  const keys = next()
  if (!Array.isArray(keys)) throw formatError(where, 'keys of storages', 'a list', describeValue(keys))
  for (const key of keys as unknown[]) {
    const root = typeof key === 'string' ? roots.get(key) : undefined
    if (!root) throw formatError(where, 'keys of storages', 'keys that tensors name', describeValue(key))
    position = locate(source, position, key as string, root)
    roots.delete(key as string)
  }
  if (roots.size) {
    const [key] = roots.keys()
    throw formatError(where, 'keys of storages', `${key.slice(0, 40)} among them`, 'that it is missing')
  }
  return object
}

/** Offset of a part inside the storage that it belongs to, in elements. */
function viewOffset(where: string, count: number, view: StorageIdentity['view']): number {
  if (view === null) return 0
  const [, offset, length] = view
  if (!isCount(offset) || !isCount(length) || offset + length > count)
    throw formatError(where, 'part of a storage', `an offset and a length within ${count}`, describeValue(view))
  return offset
}

/** A storage of known size whose bytes are found later. */
interface PendingSource extends ByteSource {
  found?: ByteSource
}

function pendingSource(where: string, key: string, size: number): PendingSource {
  const pending: PendingSource = {
    name: `${where}, storage ${key.slice(0, 40)}`,
    size,
    read: (offset, length, field) => pending.found!.read(offset, length, field),
    close() {},
  }
  return pending
}

/** Reads a storage's length at `position` and gives it its bytes; returns the position behind it. */
function locate(
  source: ByteSource,
  position: number,
  key: string,
  { type, count, bytes }: { type: string; count: number; bytes: PendingSource },
): number {
  const field = `storage ${key.slice(0, 40)}`
  const length = Buffer.from(source.read(position, 8, `${field}, length`)).readBigInt64LE()
  if (length !== BigInt(count)) throw formatError(source.name, `${field}, length`, `${count}`, `${length}`)
  bytes.found = openSlice(source, position + 8, count * storageItemSize(type), bytes.name)
  return position + 8 + bytes.size
}
