import type { Image } from '../formats/images.ts'

/** A picture within JSON. */
interface StoredImage {
  image: { width: number; height: number; channels: 1 | 3; data: string }
}

/** Arrays of numbers within JSON, by the names of their classes. */
const arrays = { Float32Array, Uint32Array } as const
type ArrayName = keyof typeof arrays
const arrayName = (value: object): ArrayName | undefined =>
  value instanceof Float32Array ? 'Float32Array' : value instanceof Uint32Array ? 'Uint32Array' : undefined

const isImage = (value: object): value is Image => 'data' in value && value.data instanceof Uint8Array
const isStored = (value: object): value is StoredImage => 'image' in value && Object.keys(value).length === 1

const isStoredArray = (value: object): value is { array: ArrayName; data: string } =>
  'array' in value && 'data' in value && Object.keys(value).length === 2

/** Plain data with pictures and arrays in it as JSON can hold them: their bytes in base64. */
export function freeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(freeze)
  const name = arrayName(value)
  if (name) {
    const { buffer, byteOffset, byteLength } = value as Float32Array
    return { array: name, data: Buffer.from(buffer, byteOffset, byteLength).toString('base64') }
  }
  if (isImage(value)) {
    const { width, height, channels, data } = value
    return { image: { width, height, channels, data: Buffer.from(data).toString('base64') } }
  }
  return Object.fromEntries(Object.entries(value).map(([name, content]) => [name, freeze(content)]))
}

/** The data again. */
export function thaw(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(thaw)
  if (isStoredArray(value)) return new arrays[value.array](Uint8Array.from(Buffer.from(value.data, 'base64')).buffer)
  if (isStored(value)) return { ...value.image, data: new Uint8Array(Buffer.from(value.image.data, 'base64')) }
  return Object.fromEntries(Object.entries(value).map(([name, content]) => [name, thaw(content)]))
}
