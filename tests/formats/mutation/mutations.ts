/**
 * How a format takes part in the mutation test: a file in `formats/` whose default export is a `MutationFormat`. That is all; the test
 * finds it. See `formats/npy.ts` for a small example.
 */
import type { Random } from '../../../src-main/nn/random.ts'

/** What was read from a file, flattened: each array, image, entry or column with its shape and elements. */
export interface Reading {
  name: string
  shape: readonly number[]
  data: ArrayLike<number> | ArrayLike<bigint> | string
}

export interface MutationFormat {
  name: string
  /** With the dot. */
  extension: string
  /** Small intact files (a few KiB), which are mutated in turn. */
  seeds: Uint8Array[]
  /** One change to headers, lengths, offsets or tags of an intact file; `changeField` and `changeText` help. */
  structure(bytes: Uint8Array, random: Random, seed: number): Uint8Array
  /** Opens the file, reads everything in it and closes it. Errors pass through. */
  read(path: string): Reading[] | Promise<Reading[]>
  /** Ranges [start, stop) of a seed where every byte is part of one uncompressed element: a change there may change that element only. */
  elements?(bytes: Uint8Array, seed: number): [number, number][]
  /** The stated expansion budget: how many bytes one byte of the file may become. 1 when left out, 1032 for deflate. */
  expansion?: number
}

export type Kind = 'structure' | 'bytes' | 'truncated' | 'duplicated' | 'cut out' | 'elements'
export interface Mutation {
  kind: Kind
  seed: number
  bytes: Uint8Array
  /** Bytes changed, for `elements`. */
  changed: number
}

/** Mutation number `index`: even ones hit structure, odd ones anything. */
export function mutate(format: MutationFormat, index: number, random: Random): Mutation {
  const seed = Math.floor(index / 2) % format.seeds.length
  const original = Uint8Array.from(format.seeds[seed])
  const made = (kind: Kind, bytes: Uint8Array, changed = 0): Mutation => ({ kind, seed, bytes, changed })
  if (index % 2 === 0) return made('structure', format.structure(original, random, seed))

  const ranges = format.elements?.(original, seed) ?? []
  const choice = random.int(ranges.length ? 6 : 5)
  const at = random.int(original.length)
  const length = 1 + random.int(Math.max(1, original.length >> 2))
  if (choice === 2) return made('truncated', original.slice(0, at))
  if (choice === 3)
    return made(
      'duplicated',
      join(original.subarray(0, at + length), original.subarray(at, at + length), original.subarray(at + length)),
    )
  if (choice === 4) return made('cut out', join(original.subarray(0, at), original.subarray(at + length)))
  if (choice === 5) {
    const [start, stop] = ranges[random.int(ranges.length)]
    const places = new Set(Array.from({ length: 1 + random.int(8) }, () => start + random.int(stop - start)))
    for (const place of places) original[place] ^= 1 + random.int(255)
    return made('elements', original, places.size)
  }
  for (let n = 1 + random.int(16); n > 0; n--) original[random.int(original.length)] = random.int(256)
  return made('bytes', original)
}

export const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts))

/** Writes a telling integer into a binary field of 1 to 8 bytes: 0, 1, the extremes, near or far from what it was. */
export function changeField(
  bytes: Uint8Array,
  offset: number,
  size: number,
  random: Random,
  littleEndian = true,
): Uint8Array {
  const byte = (i: number) => offset + (littleEndian ? i : size - 1 - i)
  let value = 0n
  for (let i = 0; i < size; i++) value |= BigInt(bytes[byte(i)]) << BigInt(8 * i)
  const bits = BigInt(8 * size)
  const far = BigInt(random.int(2 ** 31)) << BigInt(random.int(8 * size))
  const values = [0n, 1n, 2n ** bits - 1n, 2n ** (bits - 1n), 2n ** (bits - 1n) - 1n, value + 1n, value - 1n]
  values.push(value * 2n, value / 2n, value + 8n, value - 8n, value ^ (1n << BigInt(random.int(8 * size))), far, -value)
  const next = BigInt.asUintN(8 * size, values[random.int(values.length)])
  const out = Uint8Array.from(bytes)
  for (let i = 0; i < size; i++) out[byte(i)] = Number((next >> BigInt(8 * i)) & 255n)
  return out
}

const numbers = [
  '0',
  '-1',
  '1',
  '4294967296',
  '9007199254740993',
  '1e300',
  '99999999999999999999',
  '0.5',
  '007',
  ' ',
  '',
]
const marks = ['{', '}', '[', ']', '(', ')', '"', "'", ',', ':', '\0', '\\', '\n', '\t', 'é', ' ']

/** Changes a text between two places: a number, a mark, a letter, a piece lost or twice. The length may change with it. */
export function changeText(bytes: Uint8Array, start: number, stop: number, random: Random): Uint8Array {
  const text = Buffer.from(bytes.subarray(start, stop)).toString('latin1')
  const put = (from: number, to: number, piece: string) =>
    join(
      bytes.subarray(0, start),
      Buffer.from(text.slice(0, from) + piece + text.slice(to), 'latin1'),
      bytes.subarray(stop),
    )
  const choice = random.int(5)
  const found = [...text.matchAll(/\d+/g)]
  if (choice < 2 && found.length) {
    const { index, 0: digits } = found[random.int(found.length)]
    const near = [String(Number(digits) + 1), String(Number(digits) * 2), `-${digits}`, `${digits}0`]
    const all = [...near, ...numbers]
    return put(index, index + digits.length, all[random.int(all.length)])
  }
  const from = random.int(Math.max(1, text.length))
  const to = Math.min(text.length, from + 1 + random.int(12))
  if (choice === 2) return put(from, from + random.int(2), marks[random.int(marks.length)])
  if (choice === 3) return put(from, to, '')
  return choice === 4 ? put(to, to, text.slice(from, to)) : put(from, from + 1, String.fromCharCode(random.int(256)))
}
