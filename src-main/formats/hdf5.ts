import { readSync, openSync, closeSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import type { Metadata, OutputData } from 'h5wasm/node'
import { MindEyeError, formatError } from '../base/errors.ts'
import { dtypes, elementCount, type ArrayEntry, type ArrayFile, type DType, type NdArray } from './array.ts'
import { checkRows } from './elements.ts'
import { maxRatio } from './inflate.ts'
import { damaged, guarded, loadLibrary, withinTime, type Hdf5Library } from './hdf5Library.ts'

export { createHdf5, writeHdf5, type Hdf5Dataset, type Hdf5Writer } from './hdf5Write.ts'

export type AttributeValue = string | number | bigint | string[] | number[] | bigint[]

/** An array of which any box can be read. */
export interface Hdf5Array extends ArrayEntry {
  /** `count` elements along each axis, from `offset`; throws a RangeError outside the array. */
  readBox(offset: readonly number[], count: readonly number[]): NdArray
}

/** Names are full paths without the leading slash: `betas`, `metadata/key`. */
export interface Hdf5File extends ArrayFile {
  /** Datasets that are not arrays of numbers, and links, with what they are; asking for one as an array is refused with it. */
  others: { name: string; kind: string }[]
  /** Everything in the file by name: an array's dtype, `a group`, or what `others` says. Includes names with `#` in them. */
  objects: ReadonlyMap<string, string>
  /** The array of that name; also finds those with `#` in their names (MATLAB's inner things), which `arrays` and `others` leave out. */
  array(name: string): Hdf5Array
  /** Shape of any dataset, numbers or not. */
  shape(name: string): number[]
  /** All values of a text dataset, in C order. */
  strings(name: string): string[]
  /** Full names of the objects that a dataset of references points at, in C order. */
  references(name: string): string[]
  /** Attributes of a group or dataset ('' is the root); compound and other exotic values are left out. */
  attributes(name: string): Record<string, AttributeValue>
}

/** One read through the library's heap, which never shrinks again. */
const pieceBytes = 16 << 20
/** A chunk is decoded in one go. */
const maxChunkBytes = 512 << 20
const maxObjects = 100_000

/**
 * Opens an HDF5 file by path and reads slices at random access. A contiguous dataset must fit into the file; a chunked one may
 * expand to `maxRatio` times the file's size. 16-bit floats are taken as IEEE float16.
 * Links to other files and virtual datasets are listed in `others` and never followed.
 */
export async function openHdf5(path: string): Promise<Hdf5File> {
  const where = basename(path)
  const size = checkSignature(path, where)
  const library = await loadLibrary()
  const module = library.api.Module
  let id = -1n
  const close = () => {
    if (!library.dead && id >= 0) module.close_file(id)
  }
  try {
    const found = new Map<string, Dataset>()
    const objects = withinTime(library, where, 'groups', size, () => {
      id = guarded(library, where, 'superblock', () => module.open(path, module.H5F_ACC_RDONLY, false, -1, -1))
      if (id < 0) throw damaged(library, where, 'superblock', 'not an HDF5 file')
      const list = listObjects(library, where, id)
      for (const name of list.datasets) found.set(name, describe(library, where, id, name, size))
      return list
    })
    return assemble(library, where, id, size, objects, found, close)
  } catch (error) {
    close()
    throw error
  }
}

/** A dataset's header, sizes checked; `dtype` is absent for what is not an array of numbers, which `kind` then names. */
interface Dataset {
  metadata: Metadata
  shape: number[]
  dtype?: DType
  kind: string
}

interface Objects {
  datasets: string[]
  groups: string[]
  links: { name: string; kind: string }[]
}

function listObjects(library: Hdf5Library, where: string, id: bigint): Objects {
  const module = library.api.Module
  const names = guarded(library, where, 'groups', () => module.get_names(id, '/', true))
  if (names.length > maxObjects)
    throw formatError(where, 'groups', `at most ${maxObjects} objects`, String(names.length))
  const objects: Objects = { datasets: [], groups: [], links: [] }
  for (const name of names)
    guarded(library, where, name, () => {
      // links first: asking for the type of an external one would open the other file
      if (module.get_symbolic_link(id, `/${name}`) !== null) objects.links.push({ name, kind: 'a soft link' })
      else if (module.get_external_link(id, `/${name}`).filename !== undefined)
        objects.links.push({ name, kind: 'a link to another file' })
      else {
        const type = module.get_type(id, `/${name}`)
        if (type === module.H5G_DATASET) objects.datasets.push(name)
        else if (type === module.H5G_GROUP) objects.groups.push(name)
        else if (type < 0) throw damaged(library, where, name, 'not readable')
      }
    })
  return objects
}

function describe(library: Hdf5Library, where: string, id: bigint, name: string, fileSize: number): Dataset {
  const metadata = guarded(library, where, name, () => library.api.Module.get_dataset_metadata(id, `/${name}`))
  if (!metadata.shape) return { metadata, shape: [], kind: 'an empty dataset' }
  const shape = metadata.shape
  if (metadata.virtual_sources) return { metadata, shape, kind: 'a virtual dataset over other files' }
  checkSize(where, name, metadata, shape, fileSize)
  return { metadata, shape, ...typeOf(metadata) }
}

/** Before anything is allocated: the declared size against the bytes present. */
function checkSize(where: string, name: string, metadata: Metadata, shape: number[], fileSize: number): void {
  const budget = metadata.chunks ? fileSize * maxRatio : fileSize
  const declared = shape.reduce((a, b) => a * b, 1) * metadata.size
  const countable = shape.every((n) => Number.isSafeInteger(n))
  if (!(declared <= budget && countable))
    throw formatError(
      where,
      `${name}, shape`,
      `at most ${budget} bytes${metadata.chunks ? ` (${maxRatio} times the file)` : ''}`,
      `[${shape}] of ${metadata.size} bytes each`,
      'The file is cut short or damaged, or the dataset was never written.',
    )
  const chunk = (metadata.chunks ?? []).reduce((a, b) => a * b, metadata.size)
  if (chunk > Math.min(maxChunkBytes, fileSize * maxRatio) && declared > 0)
    throw formatError(
      where,
      `${name}, chunks`,
      `at most ${maxChunkBytes} bytes each`,
      `[${metadata.chunks}]`,
      'Store it in smaller chunks.',
    )
}

const otherClasses = ['', '', 'dates', 'text', 'bit fields', 'opaque data', 'compound records', 'references', '', 'lists of varying length', 'arrays in arrays', 'complex numbers'] // prettier-ignore

function typeOf({ type, size, signed, enum_type, ref_type }: Metadata): { dtype?: DType; kind: string } {
  if (type === 8 && size === 1 && Object.entries(enum_type?.members ?? {}).join(';') === 'FALSE,0;TRUE,1')
    return { dtype: 'bool', kind: 'bool' }
  const name = type === 1 ? `float${8 * size}` : type === 0 || type === 8 ? `${signed ? '' : 'u'}int${8 * size}` : ''
  if (Object.hasOwn(dtypes, name)) return { dtype: name as DType, kind: name }
  if (type === 7) return { kind: `${ref_type ?? 'object'} references` }
  return { kind: otherClasses[type] || name || `data of class ${type}` }
}

function assemble(
  library: Hdf5Library,
  where: string,
  id: bigint,
  fileSize: number,
  objects: Objects,
  found: Map<string, Dataset>,
  close: () => void,
): Hdf5File {
  const { Module: module, Dataset: H5Dataset, Reference } = library.api
  const timed = <T>(field: string, run: () => T): T => withinTime(library, where, field, fileSize, run)
  const kinds = new Map([
    ...objects.groups.map((name) => [name, 'a group'] as const),
    ...objects.links.map(({ name, kind }) => [name, kind] as const),
    ...[...found].map(([name, { kind }]) => [name, kind] as const),
  ])

  function entry(name: string, { dtype, shape }: Dataset & { dtype: DType }): Hdf5Array {
    const readBox = (offset: readonly number[], count: readonly number[]): NdArray => {
      if (offset.length !== shape.length || shape.some((n, axis) => !isRange(offset[axis], count[axis], n)))
        throw new RangeError(`[${count}] from [${offset}] of [${shape}] in ${where}, ${name}`)
      const itemSize = dtypes[dtype].BYTES_PER_ELEMENT
      const bytes = new Uint8Array(elementCount(count) * itemSize)
      readInto(bytes, { library, where, id, name, itemSize, offset: [...offset], count: [...count] })
      return { dtype, shape: [...count], data: new dtypes[dtype](bytes.buffer) }
    }
    const zeros = shape.map(() => 0)
    return {
      name,
      dtype,
      shape: [...shape],
      readBox,
      read: () => readBox(zeros, shape),
      readRows(start, stop) {
        checkRows(shape, start, stop)
        return readBox([start, ...zeros.slice(1)], [stop - start, ...shape.slice(1)])
      },
    }
  }
  function dataset(name: string): Dataset {
    const it = found.get(name)
    if (it) return it
    throw formatError(where, name, 'a dataset', kinds.get(name) ?? 'nothing')
  }
  /** All values of a dataset that is no array of numbers. */
  function values(name: string, expected: string, matches: (metadata: Metadata) => boolean): OutputData[] {
    const { metadata, kind } = dataset(name)
    if (!metadata.shape || !matches(metadata)) throw formatError(where, name, expected, kind)
    const read = () => guarded(library, where, name, () => new H5Dataset(id, `/${name}`).value)
    const value = metadata.vlen ? timed(name, read) : read()
    return Array.isArray(value) ? value : value === null ? [] : [value]
  }

  const listed = [...found].filter(([name]) => !name.split('/').some((part) => part.startsWith('#')))
  return {
    arrays: listed.flatMap(([name, it]) => (it.dtype ? [entry(name, { ...it, dtype: it.dtype })] : [])),
    others: [...listed.flatMap(([name, it]) => (it.dtype ? [] : [{ name, kind: it.kind }])), ...objects.links],
    objects: kinds,
    array(name) {
      const it = dataset(name)
      if (!it.dtype) throw formatError(where, name, 'an array of numbers', it.kind)
      return entry(name, { ...it, dtype: it.dtype })
    },
    shape: (name) => dataset(name).shape,
    strings: (name) => values(name, 'text', ({ type }) => type === 3).map(String),
    references(name) {
      const targetOf = (value: OutputData) => {
        if (!(value instanceof Reference)) throw formatError(where, name, 'references', typeof value)
        const target = guarded(library, where, name, () => module.get_referenced_name(id, value.ref_data, true))
        if (!target) throw damaged(library, where, name, 'a reference to nothing')
        return target.replace(/^\//, '')
      }
      const found = values(name, 'references', ({ type, ref_type }) => type === 7 && ref_type === 'object')
      return timed(name, () => found.map(targetOf))
    },
    attributes: (name) => readAttributes(library, where, id, `/${name}`, fileSize),
    close,
  }
}

const isRange = (offset: number, count: number, length: number) =>
  Number.isInteger(offset) && Number.isInteger(count) && offset >= 0 && count >= 0 && offset + count <= length

interface Box {
  library: Hdf5Library
  where: string
  id: bigint
  name: string
  itemSize: number
  offset: number[]
  count: number[]
}

/** Reads a box in pieces; in C order a split along the first axis longer than 1 leaves every piece contiguous. */
function readInto(out: Uint8Array, box: Box): void {
  const { library, where, id, name, itemSize, offset, count } = box
  if (!out.length) return
  const module = library.api.Module
  const axis = count.findIndex((n) => n > 1)
  if (out.length > pieceBytes && axis >= 0) {
    const inner = elementCount(count.slice(axis + 1)) * itemSize
    const step = Math.max(1, Math.floor(pieceBytes / inner))
    for (let at = 0; at < count[axis]; at += step) {
      const n = Math.min(step, count[axis] - at)
      const piece = { ...box, offset: offset.with(axis, offset[axis] + at), count: count.with(axis, n) }
      readInto(out.subarray(at * inner, (at + n) * inner), piece)
    }
    return
  }
  guarded(library, where, name, () => {
    const pointer = module._malloc(out.length)
    if (!pointer) throw new MindEyeError({ kind: 'state', where, expected: 'memory to read', found: 'none left' })
    try {
      const [counts, offsets, strides] = [count, offset, count.map(() => 1)].map((list) => list.map(BigInt))
      const scalar = count.length === 0
      const status = module.get_dataset_data(
        id,
        `/${name}`,
        scalar ? null : counts,
        scalar ? null : offsets,
        scalar ? null : strides,
        BigInt(pointer),
      )
      if (status < 0) throw damaged(library, where, name, 'the data could not be read')
      out.set(module.HEAPU8.subarray(pointer, pointer + out.length))
    } finally {
      module._free(pointer)
    }
  })
}

function readAttributes(library: Hdf5Library, where: string, id: bigint, path: string, fileSize: number) {
  const { Module: module, Group } = library.api
  const out: Record<string, AttributeValue> = {}
  for (const name of guarded(library, where, `${path} attributes`, () => module.get_attribute_names(id, path))) {
    const field = `${path} attribute ${name}`
    const { type, size, shape, total_size, vlen } = guarded(library, where, field, () =>
      module.get_attribute_metadata(id, path, name),
    )
    const numeric = type === 0 || (type === 1 && size >= 4)
    if (!shape || !(numeric || type === 3)) continue
    if (!(size * total_size <= fileSize))
      throw formatError(where, field, `at most ${fileSize} bytes`, `[${shape}] of ${size} bytes each`)
    const read = () => guarded(library, where, field, () => new Group(id, path).get_attribute(name, false))
    const value = vlen ? withinTime(library, where, field, fileSize, read) : read()
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') out[name] = value
    else if (ArrayBuffer.isView(value)) out[name] = [...(value as Iterable<number>)]
    else if (Array.isArray(value)) out[name] = value.map(String)
  }
  return out
}

/** The signature may follow a user block of 512, 1024, 2048 … bytes (MATLAB writes one). Returns the file's size. */
function checkSignature(path: string, where: string): number {
  const { size } = statSync(path)
  const fd = openSync(path, 'r')
  try {
    const head = Buffer.alloc(8)
    for (let at = 0; at + 8 <= size; at = at ? at * 2 : 512) {
      readSync(fd, head, 0, 8, at)
      if (head.toString('latin1') === '\x89HDF\r\n\x1a\n') return size
    }
  } finally {
    closeSync(fd)
  }
  throw formatError(where, 'signature', 'an HDF5 file', `${size} bytes without its signature`)
}
