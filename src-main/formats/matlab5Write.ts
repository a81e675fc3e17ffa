/** A small writer of MATLAB 5 files: numbers, logicals, text and nested structs, little-endian and uncompressed. */
import { MindEyeError } from '../base/errors.ts'
import { elementCount } from './array.ts'
import type { DType, NdArray } from './array.ts'
import { toBytes, toRowMajor } from './elements.ts'

/** What can be written: an array, a line of text, or a 1 x 1 struct of such. */
export type MatlabInput = NdArray | string | { [field: string]: MatlabInput }

/** Class number, then storage type number. */
const codes: Partial<Record<DType, [number, number]>> = {
  float64: [6, 9],
  float32: [7, 7],
  int8: [8, 1],
  uint8: [9, 2],
  bool: [9, 2],
  int16: [10, 3],
  uint16: [11, 4],
  int32: [12, 5],
  uint32: [13, 6],
  int64: [14, 12],
  uint64: [15, 13],
}
const logicalFlag = 0x200
const maxNameLength = 63

/** A whole file. Arrays of one axis become rows (1 x n), scalars 1 x 1. Throws a MindEyeError for types and names that MATLAB lacks. */
export function encodeMatlab5(variables: Record<string, MatlabInput>): Uint8Array {
  const header = Buffer.alloc(128)
  header.fill(' ', 0, 116)
  header.write('MATLAB 5.0 MAT-file, written by MindEye Workstation')
  header.writeUInt16LE(0x100, 124)
  header.write('IM', 126)
  return Buffer.concat([header, ...Object.entries(variables).map(([name, value]) => matrix(name, value))])
}

function matrix(name: string, value: MatlabInput): Buffer {
  if (!/^([A-Za-z]\w*)?$/.test(name) || name.length > maxNameLength)
    throw cannot('name', `at most ${maxNameLength} letters, digits and _, a letter first`, name)
  if (typeof value === 'string') {
    const units = Uint16Array.from({ length: value.length }, (_, i) => value.charCodeAt(i))
    return assemble(name, 4, value ? [1, value.length] : [0, 0], [element(17, toBytes(units))])
  }
  if (!isArray(value)) return structMatrix(name, value)
  const { dtype, data } = value
  if (data.length !== elementCount(value.shape))
    throw new RangeError(`${name}: ${data.length} elements for shape [${value.shape}]`)
  const shape = value.shape.length > 1 ? value.shape : [1, value.shape[0] ?? 1]
  const code = codes[dtype]
  if (!code) throw cannot(`${name} type`, 'a type of MATLAB', dtype)
  // C order of a shape is column-major order of the reversed shape, so this turns C order into MATLAB's.
  const columns = toRowMajor(data, shape.toReversed())
  return assemble(name, code[0] | (dtype === 'bool' ? logicalFlag : 0), shape, [element(code[1], toBytes(columns))])
}

const isArray = (value: object): value is NdArray => 'data' in value && ArrayBuffer.isView(value.data)

function structMatrix(name: string, fields: Record<string, MatlabInput>): Buffer {
  const names = Object.keys(fields)
  const width = maxNameLength + 1
  const text = Buffer.alloc(names.length * width)
  names.forEach((field, i) => text.write(field, i * width, 'latin1'))
  for (const field of names) if (!/^[A-Za-z]\w{0,62}$/.test(field)) throw cannot('field name', 'a name', field)
  const length = element(5, toBytes(Int32Array.of(width)))
  const values = names.map((field) => matrix('', fields[field]))
  return assemble(name, 2, [1, 1], [length, element(1, text), ...values])
}

function assemble(name: string, flags: number, shape: readonly number[], body: Buffer[]): Buffer {
  const parts = [
    element(6, toBytes(Uint32Array.of(flags, 0))),
    element(5, toBytes(Int32Array.from(shape))),
    element(1, Buffer.from(name, 'latin1')),
    ...body,
  ]
  return element(14, Buffer.concat(parts))
}

/** Tag and data, padded to a multiple of 8 bytes. */
function element(type: number, data: Uint8Array): Buffer {
  if (data.length >= 2 ** 32) throw cannot('size', 'less than 4 GiB per variable', `${data.length} bytes`)
  const out = Buffer.alloc(8 + Math.ceil(data.length / 8) * 8)
  out.writeUInt32LE(type, 0)
  out.writeUInt32LE(data.length, 4)
  out.set(data, 8)
  return out
}

function cannot(field: string, expected: string, found: string): MindEyeError {
  return new MindEyeError({ kind: 'input', where: 'MATLAB file', field, expected, found })
}
