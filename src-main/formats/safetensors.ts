/**
 * safetensors: 8 bytes of header length, a JSON header, then the tensors without gaps.
 * As strict as the official reader (huggingface/safetensors) and, against header bloat, with a cap on the number of entries.
 */
import { MindEyeError, formatError } from '../base/errors.ts'
import { elementCount } from './array.ts'
import type { ArrayEntry, ArrayFile, DType, NdArray } from './array.ts'
import { checkedByteLength, itemSize, storedEntry, toBytes } from './elements.ts'
import type { ByteSource } from './source.ts'

const maxHeaderLength = 100_000_000
/** The largest published models have some thousands of tensors. */
const maxEntries = 50_000
const maxAxes = 64
/** Header, tensor, shape: nothing in the format nests deeper. */
const maxDepth = 3

const dtypeNames: Record<string, DType> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U64: 'uint64',
  U32: 'uint32',
  U16: 'uint16',
  U8: 'uint8',
  BOOL: 'bool',
}

export interface SafetensorsFile extends ArrayFile {
  metadata: Record<string, string>
}

/** Tensors in file order; nothing but the header is read until an entry is. */
export function openSafetensors(source: ByteSource): SafetensorsFile {
  const where = source.name
  const declared = Buffer.from(source.read(0, 8, 'header length')).readBigUInt64LE()
  if (declared < 2n || declared > maxHeaderLength)
    throw formatError(where, 'header length', `2 to ${maxHeaderLength} bytes`, `${declared}`)
  const bytes = source.read(8, Number(declared), 'header')
  const header = parseHeader(where, bytes)
  const dataStart = 8 + Number(declared)

  const metadata: Record<string, string> = {}
  const tensors: { begin: number; end: number; entry: ArrayEntry }[] = []
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') {
      if (!isRecord(value) || Object.values(value).some((v) => typeof v !== 'string'))
        throw formatError(where, name, 'texts by name', show(value))
      Object.assign(metadata, value)
      continue
    }
    if (!isRecord(value)) throw formatError(where, name, 'an object with dtype, shape and data_offsets', show(value))
    const { dtype, shape, begin, end } = parseTensor(where, name, value)
    const entry = storedEntry({ source, name, dtype, shape, offset: dataStart + begin })
    tensors.push({ begin, end, entry })
  }

  // In order of their place, each must begin where the one before it ended: no overlap, no hole, nothing left over.
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let covered = 0
  for (const { begin, end, entry } of tensors) {
    if (begin !== covered)
      throw formatError(where, `${entry.name} data_offsets`, `data from byte ${covered} on`, `${begin}`)
    covered = end
  }
  if (covered !== source.size - dataStart)
    throw formatError(where, 'data', `${covered} bytes as the header says`, `${source.size - dataStart} bytes`)
  return { arrays: tensors.map(({ entry }) => entry), metadata, close: () => source.close() }
}

function parseTensor(where: string, name: string, value: Record<string, unknown>) {
  const { dtype: code, shape, data_offsets: offsets, ...rest } = value
  const known = typeof code === 'string' && Object.hasOwn(dtypeNames, code) ? dtypeNames[code] : undefined
  if (!known) throw formatError(where, `${name} dtype`, Object.keys(dtypeNames).join(', '), show(code))
  if (Object.keys(rest).length)
    throw formatError(where, name, 'only dtype, shape and data_offsets', show(Object.keys(rest)))
  if (!isCounts(shape) || shape.length > maxAxes)
    throw formatError(where, `${name} shape`, `at most ${maxAxes} whole numbers`, show(shape))
  if (!isCounts(offsets) || offsets.length !== 2)
    throw formatError(where, `${name} data_offsets`, 'two whole numbers', show(offsets))
  const [begin, end] = offsets
  const length = checkedByteLength(where, `${name} shape`, known, shape)
  if (end - begin !== length)
    throw formatError(where, `${name} data_offsets`, `${length} bytes for ${known} [${shape}]`, `${end - begin} bytes`)
  return { dtype: known, shape, begin, end }
}

function parseHeader(where: string, bytes: Uint8Array): Record<string, unknown> {
  const keys = countKeys(where, bytes)
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw formatError(
      where,
      'header',
      'JSON in UTF-8',
      cause instanceof Error ? cause.message.slice(0, 120) : 'neither',
    )
  }
  if (!isRecord(header)) throw formatError(where, 'header', 'a JSON object', show(header))
  // JSON.parse keeps the last of equal keys, other readers the first: a file that says two things is refused.
  if (Object.keys(header).length !== keys) throw formatError(where, 'header', 'every tensor once', 'a name twice')
  return header
}

/**
 * Counts the outermost object's keys before anything is built from the text, and stops at nesting or a number of values that no
 * model has: the parsed form of such a header would take many times its size.
 */
function countKeys(where: string, bytes: Uint8Array): number {
  if (bytes[0] !== 0x7b) throw formatError(where, 'header', '"{" first', JSON.stringify(String.fromCharCode(bytes[0])))
  let depth = 0
  let keys = 0
  let values = 0
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === 0x22) {
      while (++i < bytes.length && bytes[i] !== 0x22) if (bytes[i] === 0x5c) i++
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxDepth) throw formatError(where, 'header', `at most ${maxDepth} levels of nesting`, 'more')
      values++
    } else if (byte === 0x7d || byte === 0x5d) depth--
    else if (byte === 0x2c) values++
    else if (byte === 0x3a && depth === 1) keys++
    if (keys > maxEntries + 1 || values > 20 * maxEntries)
      throw formatError(where, 'header', `at most ${maxEntries} tensors`, 'more')
  }
  return keys
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0)
const show = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 80)

/**
 * Everything before the tensors, for writing a model that does not fit in memory twice: write this, then the little-endian bytes of
 * each tensor in the order of `tensors`. The header is padded so that the data begins at a multiple of 8 bytes.
 */
export function safetensorsHeader(
  tensors: readonly { name: string; dtype: DType; shape: readonly number[] }[],
  metadata?: Record<string, string>,
): Uint8Array {
  const entries: [string, unknown][] = metadata && Object.keys(metadata).length ? [['__metadata__', metadata]] : []
  let offset = 0
  for (const { name, dtype, shape } of tensors) {
    const code = Object.keys(dtypeNames).find((key) => dtypeNames[key] === dtype)
    const end = offset + elementCount(shape) * itemSize(dtype)
    entries.push([name, { dtype: code, shape, data_offsets: [offset, end] }])
    offset = end
  }
  const names = new Set(entries.map(([name]) => name))
  if (
    names.size !== entries.length ||
    tensors.some(({ name }) => name === '__metadata__') ||
    tensors.length > maxEntries
  )
    throw new MindEyeError({
      kind: 'input',
      where: 'safetensors',
      field: 'names',
      expected: `at most ${maxEntries} different names`,
      found: `${tensors.length} tensors, ${names.size} names`,
    })
  // Built by hand: in an object, names such as "1" would move to the front.
  const json = `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`
  const text = Buffer.from(json)
  const header = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ')
  header.writeBigUInt64LE(BigInt(header.length - 8))
  header.set(text, 8)
  return header
}

/** A whole file in memory. */
export function encodeSafetensors(tensors: Record<string, NdArray>, metadata?: Record<string, string>): Uint8Array {
  const entries = Object.entries(tensors)
  for (const [name, { shape, data }] of entries)
    if (data.length !== elementCount(shape))
      throw new RangeError(`${name}: ${data.length} elements for shape [${shape}]`)
  const header = safetensorsHeader(
    entries.map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    metadata,
  )
  return Buffer.concat([header, ...entries.map(([, { data }]) => toBytes(data))])
}
