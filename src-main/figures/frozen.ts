import type { Image } from '../formats/images.ts'

/** A picture within JSON. */
interface StoredImage {
  image: { width: number; height: number; channels: 1 | 3; data: string }
}

const isImage = (value: object): value is Image => 'data' in value && value.data instanceof Uint8Array
const isStored = (value: object): value is StoredImage => 'image' in value && Object.keys(value).length === 1

/** Plain data with pictures in it as JSON can hold them: pixels in base64. */
export function freeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(freeze)
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
  if (isStored(value)) return { ...value.image, data: new Uint8Array(Buffer.from(value.image.data, 'base64')) }
  return Object.fromEntries(Object.entries(value).map(([name, content]) => [name, thaw(content)]))
}
