/**
 * MATLAB files of version 7.3: HDF5 with MATLAB's own conventions. Axes are stored in reverse, text is 16-bit numbers, cells are
 * references into a group `#refs#`, structs are groups, and an empty value is a dataset that holds its shape.
 * What each thing is, its attribute `MATLAB_class` says.
 */
import { basename } from 'node:path'
import { formatError } from '../base/errors.ts'
import { dtypes, elementCount, type ArrayEntry, type DType, type NdArray } from './array.ts'
import { checkRows, toRowMajor } from './elements.ts'
import { openHdf5, type AttributeValue, type Hdf5File } from './hdf5.ts'
import type { MatlabFile, MatlabValue } from './matlab.ts'
import { columnMajorItems } from './matlab5Values.ts'

const maxDepth = 32
const maxValues = 1_000_000

/** Opens by path, as the HDF5 library reads the file itself; rows of a variable are read without the rest. */
export async function openMatlab73(path: string): Promise<MatlabFile> {
  const file = await openHdf5(path)
  try {
    const members = new Map<string, string[]>()
    for (const name of file.objects.keys()) {
      const group = name.slice(0, Math.max(0, name.lastIndexOf('/')))
      const list = members.get(group)
      if (list) list.push(name)
      else members.set(group, [name])
    }
    const context: Context = { file, where: basename(path), members }
    const things = (members.get('') ?? []).filter((name) => !name.startsWith('#')).map((name) => look(context, name))
    return {
      variables: things.map(({ name, className, shape }) => ({
        name,
        className,
        shape,
        value: () => readValue(context, name, 0, { left: maxValues }),
      })),
      arrays: things.flatMap(({ entry }) => (entry ? [entry] : [])),
      close: () => file.close(),
    }
  } catch (error) {
    file.close()
    throw error
  }
}

interface Context {
  file: Hdf5File
  where: string
  /** Full names by the group that they are in. */
  members: Map<string, string[]>
}

/** What the header of a variable, a field or an item says. */
interface Thing {
  name: string
  className: string
  shape: number[]
  empty: boolean
  /** For numbers and logicals. */
  entry?: ArrayEntry
  attributes: Record<string, AttributeValue>
}

const classTypes: Record<string, DType> = { double: 'float64', single: 'float32', logical: 'bool' }
for (const dtype of ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'] as const)
  classTypes[dtype] = dtype

function look({ file, where }: Context, name: string): Thing {
  const kind = file.objects.get(name) ?? 'nothing'
  if (kind.includes('link')) return { name, className: kind, shape: [], empty: false, attributes: {} }
  const attributes = file.attributes(name)
  const declared = typeof attributes.MATLAB_class === 'string' ? attributes.MATLAB_class : undefined
  if (kind === 'a group') return { name, className: declared ?? 'struct', shape: [1, 1], empty: false, attributes }
  const shape = file.shape(name).toReversed()
  if (!Object.hasOwn(dtypes, kind)) return { name, className: declared ?? kind, shape, empty: false, attributes }

  const className = declared ?? Object.keys(classTypes).find((c) => classTypes[c] === kind) ?? kind
  if (attributes.MATLAB_empty) return { ...lookEmpty(file, where, name, className), attributes }
  const dtype = Object.hasOwn(classTypes, className) ? classTypes[className] : undefined
  if (!dtype) return { name, className, shape, empty: false, attributes }
  if (dtype !== kind && !(dtype === 'bool' && kind === 'uint8'))
    throw formatError(where, `${name}, MATLAB_class`, `${className} stored as ${dtype}`, kind)
  return { name, className, shape, empty: false, attributes, entry: natural(file, name, dtype, shape) }
}

/** An empty value: the dataset holds the axes, one of which is 0. */
function lookEmpty(file: Hdf5File, where: string, name: string, className: string): Omit<Thing, 'attributes'> {
  const stored = file.array(name)
  const shape = elementCount(stored.shape) <= 32 ? Array.from(stored.read().data, Number) : []
  if (!shape.includes(0) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0))
    throw formatError(where, `${name}, MATLAB_empty`, 'a shape with a zero', `[${shape}]`)
  const thing = { name, className, shape, empty: true }
  if (!Object.hasOwn(classTypes, className)) return thing
  const dtype = classTypes[className]
  const rows = (count: number): NdArray => {
    const part = [count, ...shape.slice(1)]
    return { dtype, shape: part, data: new dtypes[dtype](elementCount(part)) }
  }
  const readRows = (start: number, stop: number) => {
    checkRows(shape, start, stop)
    return rows(stop - start)
  }
  return { ...thing, entry: { name, dtype, shape, read: () => rows(shape[0]), readRows } }
}

/** An entry whose shape indexes as in MATLAB, over a dataset whose axes run the other way. */
function natural(file: Hdf5File, name: string, dtype: DType, shape: number[]): ArrayEntry {
  const stored = file.array(name)
  function readRows(start: number, stop: number): NdArray {
    checkRows(shape, start, stop)
    const part = [stop - start, ...shape.slice(1)]
    const offset = [...shape.slice(1).map(() => 0), start]
    return { dtype, shape: part, data: toRowMajor(stored.readBox(offset, part.toReversed()).data, part) }
  }
  const read = () => (shape.length ? readRows(0, shape[0]) : { ...stored.read(), dtype })
  return { name, dtype, shape, read, readRows }
}

function readValue(context: Context, name: string, depth: number, budget: { left: number }): MatlabValue {
  const { file, where } = context
  if (depth > maxDepth) throw formatError(where, name, `at most ${maxDepth} levels of cells and structs`, 'more')
  if (--budget.left < 0) throw formatError(where, name, `at most ${maxValues} values`, 'more')
  const { className, shape, entry, empty, attributes } = look(context, name)
  const refuse = (found: string) =>
    formatError(where, name, 'numbers, text, cells or structs', found, 'Save it from MATLAB as a plain array.')
  if (attributes.MATLAB_sparse !== undefined) throw refuse('a sparse matrix')
  if (attributes.MATLAB_object_decode !== undefined) throw refuse(`${className} data`)
  if (entry) return { kind: 'numeric', ...entry.read() }
  // "canonical empty" is what MATLAB's [] becomes inside a cell
  if (className === 'canonical empty')
    return { kind: 'numeric', dtype: 'float64', shape: [0, 0], data: new Float64Array(0) }

  const below = (target: string) => readValue(context, target, depth + 1, budget)
  if (className === 'char') return { kind: 'char', shape, rows: empty ? [] : readChars(context, name, shape) }
  if (className === 'cell')
    return { kind: 'cell', shape, items: empty ? [] : columnMajorItems(file.references(name).map(below), shape) }
  if (className === 'struct') {
    if (file.objects.get(name) !== 'a group') return { kind: 'struct', shape, fields: new Map() }
    return readStruct(context, name, below)
  }
  throw refuse(`${className} data`)
}

/** One text per row of a matrix of UTF-16 units. */
function readChars({ file, where }: Context, name: string, shape: number[]): string[] {
  const stored = file.array(name).read()
  if (stored.dtype !== 'uint16' && stored.dtype !== 'uint8')
    throw formatError(where, name, 'text as uint16', stored.dtype)
  const units = Array.from(toRowMajor(Uint16Array.from(stored.data as ArrayLike<number>), shape))
  const width = shape.at(-1) ?? 1
  const rows = width ? units.length / width : 0
  const row = (i: number) => units.slice(i * width, (i + 1) * width).map((unit) => String.fromCharCode(unit)) // prettier-ignore
  return Array.from({ length: rows }, (_, i) => row(i).join(''))
}

/** A group of fields. In an array of structs each field is a dataset of references, told from a cell by having no class. */
function readStruct(context: Context, name: string, below: (target: string) => MatlabValue): MatlabValue {
  let shape: number[] | undefined
  const fields = (context.members.get(name) ?? []).map((path): [string, MatlabValue[]] => {
    const field = look(context, path)
    const isList = field.className === 'object references'
    const found = isList ? field.shape : [1, 1]
    if (shape && String(shape) !== String(found))
      throw formatError(context.where, path, `a struct array of shape [${shape}]`, `[${found}]`)
    shape = found
    const values = isList ? columnMajorItems(context.file.references(path).map(below), found) : [below(path)]
    return [path.slice(name.length + 1), values]
  })
  return { kind: 'struct', shape: shape ?? [1, 1], fields: new Map(fields) }
}
