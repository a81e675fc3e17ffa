/**
 * HDF5 files with contiguous datasets in the root group, written front to back without the HDF5 library: h5wasm cannot write float16
 * and takes a whole dataset at once. Layouts follow the HDF Group's "HDF5 File Format Specification", version 3.0:
 * superblock 2, object headers 2.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { dtypes, elementCount, type DType, type NdArray, type TypedArray } from './array.ts'

export interface Hdf5Dataset {
  name: string
  dtype: Exclude<DType, 'bool' | 'bfloat16'>
  shape: readonly number[]
}

export interface Hdf5Writer {
  /** The dataset's next values in C order: any number of them, so that rows can come in slices. */
  append(name: string, data: TypedArray): void
  /** Writes the header, without which nothing opens the file; throws a RangeError when a dataset is incomplete. */
  close(): void
}

/** Creates a file of datasets whose shapes are known and whose values follow in slices. */
export function createHdf5(path: string, datasets: readonly Hdf5Dataset[]): Hdf5Writer {
  if (
    new Set(datasets.map((d) => d.name)).size < datasets.length ||
    datasets.some((d) => !/^[^/]{1,200}$/.test(d.name))
  )
    throw new RangeError('datasets need different names without a slash')

  // superblock, root group, one object header per dataset, then the data
  const headers = datasets.map((d) => datasetHeader(d, 0, 0).length)
  const rootLength = rootGroup(datasets.map((d) => [d.name, 0])).length
  const links: [string, number][] = []
  let end = superblockLength + rootLength
  datasets.forEach((d, i) => {
    links.push([d.name, end])
    end += headers[i]
  })
  const parts = new Map(
    datasets.map((d) => {
      const size = elementCount(d.shape) * dtypes[d.dtype].BYTES_PER_ELEMENT
      const offset = Math.ceil(end / 8) * 8
      end = offset + size
      return [d.name, { ...d, offset, size, done: 0 }]
    }),
  )

  const fd = openSync(path, 'w')
  return {
    append(name, data) {
      const part = parts.get(name)
      if (!part) throw new RangeError(`no dataset ${name}`)
      if (!(data instanceof dtypes[part.dtype])) throw new RangeError(`${name} takes ${part.dtype}`)
      if (part.done + data.byteLength > part.size) throw new RangeError(`more values for ${name} than [${part.shape}]`)
      writeFully(fd, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), part.offset + part.done)
      part.done += data.byteLength
    },
    close() {
      try {
        for (const { name, done, size } of parts.values())
          if (done < size) throw new RangeError(`${name}: ${done} of ${size} bytes were appended`)
        ftruncateSync(fd, end)
        const found = [...parts.values()].map((part) => datasetHeader(part, part.offset, part.size))
        writeFully(fd, concat([superblock(end), rootGroup(links), ...found]), 0)
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
    },
  }
}

/** Writes whole arrays. */
export function writeHdf5(path: string, arrays: Record<string, NdArray>): void {
  const datasets = Object.entries(arrays).map(([name, { dtype, shape }]) => {
    if (dtype === 'bool' || dtype === 'bfloat16') throw new RangeError(`${name}: ${dtype} is not written to HDF5`)
    return { name, dtype, shape }
  })
  const writer = createHdf5(path, datasets)
  for (const [name, { data }] of Object.entries(arrays)) writer.append(name, data)
  writer.close()
}

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]
const superblockLength = 48
const undefinedAddress = new Uint8Array(8).fill(0xff)

function superblock(end: number): Uint8Array {
  return withChecksum(concat([signature, [2, 8, 8, 0], u64(0), undefinedAddress, u64(end), u64(superblockLength)]))
}

function rootGroup(links: [string, number][]): Uint8Array {
  const linkInfo = message(0x02, [0, 0], undefinedAddress, undefinedAddress)
  const groupInfo = message(0x0a, [0, 0])
  const hard = links.map(([name, address]) => {
    const utf8 = new TextEncoder().encode(name)
    // flags: name length in two bytes, character set given (1: UTF-8)
    return message(0x06, [1, 0x11, 1], [utf8.length & 255, utf8.length >> 8], utf8, u64(address))
  })
  return objectHeader([linkInfo, groupInfo, ...hard])
}

function datasetHeader({ dtype, shape }: Hdf5Dataset, offset: number, size: number): Uint8Array {
  return objectHeader([
    message(0x01, [2, shape.length, 0, shape.length ? 1 : 0], ...shape.map(u64)),
    message(0x03, datatype(dtype)),
    // fill value: allocated late, written if set, none set
    message(0x05, [3, 0x0a]),
    message(0x08, [3, 1], size ? u64(offset) : undefinedAddress, u64(size)),
  ])
}

function datatype(dtype: Hdf5Dataset['dtype']): number[] {
  const size = dtypes[dtype].BYTES_PER_ELEMENT
  const bits = 8 * size
  if (!dtype.startsWith('float')) return [0x10, dtype.startsWith('u') ? 0 : 8, 0, 0, size, 0, 0, 0, 0, 0, bits, 0]
  // exponent and mantissa widths, exponent bias as IEEE 754 has them
  const [exponent, mantissa] = { 16: [5, 10], 32: [8, 23], 64: [11, 52] }[bits] ?? []
  const bias = 2 ** (exponent - 1) - 1
  return [
    ...[0x11, 0x20, bits - 1, 0, size, 0, 0, 0],
    ...[0, 0, bits, 0, mantissa, exponent, 0, mantissa, bias & 255, bias >> 8, 0, 0],
  ]
}

function message(type: number, ...parts: Bytes[]): Uint8Array {
  const body = concat(parts)
  return concat([[type, body.length & 255, body.length >> 8, 0], body])
}

function objectHeader(messages: Uint8Array[]): Uint8Array {
  const body = concat(messages)
  // flags: four bytes for the length
  return withChecksum(concat([[0x4f, 0x48, 0x44, 0x52, 2, 2], u64(body.length).subarray(0, 4), body]))
}

type Bytes = Uint8Array | number[]

function concat(parts: Bytes[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function u64(value: number): Uint8Array {
  return new Uint8Array(new BigUint64Array([BigInt(value)]).buffer)
}

function withChecksum(bytes: Uint8Array): Uint8Array {
  return concat([bytes, new Uint8Array(new Uint32Array([lookup3(bytes)]).buffer)])
}

/** Bob Jenkins' public-domain lookup3 ("hashlittle", initial value 0), the checksum of HDF5's metadata. */
export function lookup3(bytes: Uint8Array): number {
  const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k))
  const padded = new Uint8Array(Math.ceil(Math.max(bytes.length, 1) / 12) * 12)
  padded.set(bytes)
  const words = new DataView(padded.buffer)
  let a = (0xdeadbeef + bytes.length) | 0
  let b = a
  let c = a
  for (let at = 0; at < padded.length; at += 12) {
    a = (a + words.getInt32(at, true)) | 0
    b = (b + words.getInt32(at + 4, true)) | 0
    c = (c + words.getInt32(at + 8, true)) | 0
    if (at + 12 < padded.length) {
      a = ((a - c) | 0) ^ rotate(c, 4)
      c = (c + b) | 0
      b = ((b - a) | 0) ^ rotate(a, 6)
      a = (a + c) | 0
      c = ((c - b) | 0) ^ rotate(b, 8)
      b = (b + a) | 0
      a = ((a - c) | 0) ^ rotate(c, 16)
      c = (c + b) | 0
      b = ((b - a) | 0) ^ rotate(a, 19)
      a = (a + c) | 0
      c = ((c - b) | 0) ^ rotate(b, 4)
      b = (b + a) | 0
    }
  }
  c = ((c ^ b) - rotate(b, 14)) | 0
  a = ((a ^ c) - rotate(c, 11)) | 0
  b = ((b ^ a) - rotate(a, 25)) | 0
  c = ((c ^ b) - rotate(b, 16)) | 0
  a = ((a ^ c) - rotate(c, 4)) | 0
  b = ((b ^ a) - rotate(a, 14)) | 0
  c = ((c ^ b) - rotate(b, 24)) | 0
  return c >>> 0
}

function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
}
