/** Conversions between the way MATLAB 5 files store values and the values themselves. */
import { formatError } from '../base/errors.ts'
import { dtypes, elementCount } from './array.ts'
import type { DType, TypedArray } from './array.ts'
import { fromBytes, toRowMajor } from './elements.ts'

/**
 * Numbers of the storage type as numbers of their class. An integer class must hold every stored value exactly; a float class is
 * stored as itself or as integers.
 */
export function asClass(where: string, name: string, data: TypedArray, stored: DType, dtype: DType): TypedArray {
  if (stored === dtype || (dtype === 'bool' && stored === 'uint8')) return data
  const isFloat = (type: DType) => type.startsWith('float')
  if (isFloat(stored) && (dtype === 'float32' || dtype === 'bool'))
    throw formatError(where, `${name} data`, `${dtype} or integers`, stored)
  const out = new dtypes[dtype](data.length)
  if (out instanceof BigInt64Array || out instanceof BigUint64Array) {
    for (let i = 0; i < data.length; i++) {
      const value = data[i]
      if (typeof value === 'number' && !Number.isInteger(value)) throw doesNotFit(value)
      out[i] = BigInt(value)
      if (out[i] !== BigInt(value)) throw doesNotFit(value)
    }
  } else {
    const exact = !isFloat(dtype)
    for (let i = 0; i < data.length; i++) {
      out[i] = Number(data[i])
      if (exact && out[i] !== Number(data[i])) throw doesNotFit(data[i])
    }
  }
  return out

  function doesNotFit(value: number | bigint) {
    return formatError(where, `${name} data`, `values of type ${dtype}`, `${value}, stored as ${stored}`)
  }
}

/** One text per row of a char array (all axes but the last counted together). */
export function decodeChars(
  where: string,
  field: string,
  bytes: Uint8Array,
  type: string,
  shape: readonly number[],
  littleEndian: boolean,
): string[] {
  const units = charUnits(where, field, bytes, type, elementCount(shape), littleEndian)
  if (units.length !== elementCount(shape))
    throw formatError(where, field, `${elementCount(shape)} characters for [${shape}]`, `${units.length}`)
  const ordered = toRowMajor(units, shape)
  const width = shape[shape.length - 1]
  const rows: string[] = []
  for (let start = 0; width && start < ordered.length; start += width) {
    let row = ''
    for (const unit of ordered.subarray(start, start + width)) row += String.fromCodePoint(unit)
    rows.push(row)
  }
  return rows
}

/** Characters as numbers: code points where the count is one of code points (as SciPy writes), else UTF-16 units. */
function charUnits(
  where: string,
  field: string,
  bytes: Uint8Array,
  type: string,
  count: number,
  littleEndian: boolean,
): Uint32Array<ArrayBuffer> {
  const even = (size: number) => {
    if (bytes.length % size) throw formatError(where, field, `a multiple of ${size} bytes`, `${bytes.length}`)
  }
  if (type === 'utf8') {
    let text: string
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      throw formatError(where, field, 'UTF-8', 'other bytes')
    }
    const units = Uint32Array.from({ length: text.length }, (_, i) => text.charCodeAt(i))
    return units.length === count ? units : Uint32Array.from(text, (letter) => letter.codePointAt(0) ?? 0)
  }
  if (type === 'utf32') {
    even(4)
    const units = fromBytes(bytes, 'uint32', littleEndian) as Uint32Array<ArrayBuffer>
    if (units.some((unit) => unit > 0x10ffff))
      throw formatError(where, field, 'Unicode characters', 'a number beyond U+10FFFF')
    return units
  }
  if (type === 'uint8' || type === 'int8') return Uint32Array.from(bytes)
  even(2)
  return Uint32Array.from(fromBytes(bytes, 'uint16', littleEndian) as Uint16Array)
}

/** Reorders column-major items of any kind to C order. */
export function columnMajorItems<T>(items: T[], shape: readonly number[]): T[] {
  const order = toRowMajor(
    Uint32Array.from({ length: items.length }, (_, i) => i),
    shape,
  )
  return Array.from(order, (i) => items[i])
}
