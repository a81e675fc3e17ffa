/** Long arrays as textures: element i is the texel (i mod WIDTH, i div WIDTH). */
import {
  DataTexture,
  FloatType,
  IntType,
  NearestFilter,
  RedFormat,
  RedIntegerFormat,
  RGBAFormat,
  UnsignedByteType,
  UnsignedIntType,
} from 'three'

export const WIDTH = 2048

type Numbers = Float32Array | Int32Array | Uint32Array | Uint8Array

/** A texture over an array that grows to what it is given; `array` is written to, then `upload` called. */
export class ArrayTexture<T extends Numbers> {
  array: T
  /** Shared by every material that reads the array. */
  readonly uniform: { value: DataTexture }

  private readonly make: (length: number) => T

  constructor(make: (length: number) => T) {
    this.make = make
    this.array = make(WIDTH)
    this.uniform = { value: this.create() }
  }

  /** Makes room for `length` numbers. */
  reserve(length: number) {
    const size = Math.max(1, Math.ceil(length / WIDTH)) * WIDTH
    if (size === this.array.length) return
    this.uniform.value.dispose()
    this.array = this.make(size)
    this.uniform.value = this.create()
  }

  upload() {
    this.uniform.value.needsUpdate = true
  }

  dispose() {
    this.uniform.value.dispose()
  }

  private create(): DataTexture {
    const { array } = this
    const height = array.length / WIDTH
    const texture =
      array instanceof Float32Array
        ? new DataTexture(array, WIDTH, height, RedFormat, FloatType)
        : array instanceof Uint8Array
          ? new DataTexture(array, WIDTH, height, RedFormat, UnsignedByteType)
          : new DataTexture(
              array,
              WIDTH,
              height,
              RedIntegerFormat,
              array instanceof Int32Array ? IntType : UnsignedIntType,
            )
    if (array instanceof Int32Array) texture.internalFormat = 'R32I'
    if (array instanceof Uint32Array) texture.internalFormat = 'R32UI'
    texture.minFilter = texture.magFilter = NearestFilter
    texture.needsUpdate = true
    return texture
  }
}

/** 256 colours as one row of texels. */
export function lutTexture(): DataTexture {
  const texture = new DataTexture(new Uint8Array(1024).fill(255), 256, 1, RGBAFormat, UnsignedByteType)
  texture.minFilter = texture.magFilter = NearestFilter
  return texture
}

export function fillLut(texture: DataTexture, table: Uint8Array) {
  const data = texture.image.data as Uint8Array
  for (let i = 0; i < 256; i++) data.set(table.subarray(3 * i, 3 * i + 3), 4 * i)
  texture.needsUpdate = true
}

export const FETCH_GLSL = /* glsl */ `
  ivec2 texelOf(int i) { return ivec2(i & ${WIDTH - 1}, i >> ${Math.log2(WIDTH)}); }
`
