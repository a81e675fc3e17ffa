/** An .npy written slice by slice over hours, which a later process can take up where this one died. */
import { closeSync, existsSync, fstatSync, fsyncSync, openSync, readSync, renameSync, writeSync } from 'node:fs'
import { elementCount } from './array.ts'
import type { DType } from './array.ts'
import { itemSize } from './elements.ts'
import { npyHeader } from './npy.ts'

const partOf = (path: string): string => `${path}.part`

/** How many whole rows of `path` are there: all `rows` once it is complete, else those of its unfinished part. */
export function rowsThere(path: string, rows: number): number {
  if (existsSync(path)) return rows
  if (!existsSync(partOf(path))) return 0
  const fd = openSync(partOf(path), 'r')
  try {
    const { size } = fstatSync(fd)
    const head = Buffer.alloc(Math.min(size, 256))
    readSync(fd, head, 0, head.length, 0)
    const text = head.toString('latin1')
    const shape = /'shape': \(([\d, ]+)\)/.exec(text)?.[1].split(',').map(Number)
    const bytes = /'descr': '[<|]\w(\d)'/.exec(text)?.[1]
    if (!shape || !bytes || shape[0] !== rows) return 0
    const rowBytes = Number(bytes) * elementCount(shape.slice(1))
    return Math.max(0, Math.floor((size - 10 - head.readUInt16LE(8)) / rowBytes))
  } finally {
    closeSync(fd)
  }
}

/** Writes rows from `first` on; those before must be there. The file gets its name, durably, with its last row. */
export function writeRows(
  path: string,
  dtype: DType,
  shape: readonly number[],
  first: number,
  data: Float32Array | Uint8Array,
): void {
  if (existsSync(path)) return
  const header = npyHeader(dtype, shape)
  const rowBytes = itemSize(dtype) * elementCount(shape.slice(1))
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const fd = openSync(partOf(path), first === 0 ? 'w' : 'r+')
  try {
    if (first === 0) writeSync(fd, header)
    for (let at = 0; at < bytes.length;)
      at += writeSync(fd, bytes, at, bytes.length - at, header.length + first * rowBytes + at)
    const isLast = first * rowBytes + bytes.length === shape[0] * rowBytes
    if (!isLast) return
    fsyncSync(fd)
    renameSync(partOf(path), path)
  } finally {
    closeSync(fd)
  }
}
