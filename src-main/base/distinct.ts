/** The distinct values, ascending. */
export const distinct = (values: ArrayLike<number>): Int32Array => Int32Array.from(new Set(Array.from(values))).sort()
