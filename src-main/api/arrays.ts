import { readFile } from 'node:fs/promises'

/** The little-endian bytes of an array, of its own where it is a view. */
export const bytesOf = (data: Float32Array | Int32Array): Uint8Array<ArrayBuffer> =>
  new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)

/** The elements of an .npy file that we wrote ourselves, without its header. */
export async function plainArray(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await readFile(path)
  // Version 1: magic, version, length of the header in two bytes, header.
  const start = 10 + file.readUInt16LE(8)
  return new Uint8Array(file.buffer, file.byteOffset + start, file.length - start)
}
