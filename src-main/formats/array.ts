/** Element types that our formats can hold. 64-bit integers become BigInt arrays; bfloat16 is kept as its 16-bit pattern. */
export const dtypes = {
  float16: Float16Array,
  bfloat16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const

export type DType = keyof typeof dtypes
export type TypedArray = InstanceType<(typeof dtypes)[DType]>

/** A dense array in C order: `data.length` is the product of `shape`. */
export interface NdArray {
  dtype: DType
  shape: number[]
  data: TypedArray
}

/** A named array inside a file, readable without loading the file. */
export interface ArrayEntry {
  name: string
  dtype: DType
  shape: number[]
  read(): NdArray
  /** Rows `[start, stop)` of the first axis; shape `[stop - start, ...shape.slice(1)]`. */
  readRows(start: number, stop: number): NdArray
}

/** The same array under another name. */
export const renamed = (array: ArrayEntry, name: string): ArrayEntry => ({
  name,
  dtype: array.dtype,
  shape: array.shape,
  read: () => array.read(),
  readRows: (start, stop) => array.readRows(start, stop),
})

/** A file that holds named arrays (npy, npz, MATLAB, HDF5, safetensors). */
export interface ArrayFile {
  arrays: ArrayEntry[]
  close(): void
}

/** Product of a shape; throws a RangeError when it is not an exact non-negative integer. */
export function elementCount(shape: readonly number[]): number {
  let count = 1
  for (const n of shape) count *= n
  if (!Number.isSafeInteger(count) || shape.some((n) => !Number.isSafeInteger(n) || n < 0))
    throw new RangeError(`shape [${shape}] is not countable`)
  return count
}
