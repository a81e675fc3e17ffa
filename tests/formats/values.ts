import { readFileSync } from 'node:fs'
import { elementCount } from '../../src-main/formats/array.ts'
import type { DType, NdArray } from '../../src-main/formats/array.ts'
import { openBytes, openFile } from '../../src-main/formats/source.ts'

const folder = new URL('../fixtures/formats/', import.meta.url).pathname

export const fixturePath = (name: string): string => folder + name
export const fixture = (name: string) => openFile(fixturePath(name))
export const fixtureBytes = (name: string): Uint8Array => readFileSync(fixturePath(name))
export const fromMemory = (bytes: Uint8Array) => openBytes(bytes, 'memory')

/** The rule by which tests/fixtures/formats/make.py fills its arrays, C order. */
export function ruleValues(dtype: DType, shape: readonly number[]): number[] {
  const shift = dtype.startsWith('uint') ? 0 : 5
  return Array.from({ length: elementCount(shape) }, (_, i) => (dtype === 'bool' ? i % 2 : ((i * 7) % 23) - shift))
}

/** Elements as plain numbers; bfloat16 patterns are widened to float32. */
export function numbers({ dtype, data }: NdArray): number[] {
  if (dtype !== 'bfloat16') return Array.from(data, Number)
  return Array.from(new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer))
}

/** Calls `action` and returns the message of what it throws; '' when it throws nothing. */
export function messageOf(action: () => unknown): string {
  try {
    action()
    return ''
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`
  }
}
