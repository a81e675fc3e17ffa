const kinds: readonly [RegExp, string][] = [
  [/^image\//, 'picture'],
  [/matlab|x-mat/, 'MATLAB file'],
  [/gzip|zip|tar/, 'archive'],
  [/hdf/, 'HDF5 file'],
  [/csv|tab-separated|json/, 'table'],
]

/** What can be told of a drag before it is released: a browser shows how many items there are and the types that it knows, no names. */
export function describeDrag(items: Iterable<{ kind: string; type: string }>): string {
  const counts = new Map<string, number>()
  for (const { kind, type } of items) {
    if (kind !== 'file') continue
    const word = kinds.find(([pattern]) => pattern.test(type))?.[1] ?? 'file or folder'
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const plural = (word: string, n: number) => {
    if (n === 1) return `1 ${word}`
    return word === 'file or folder' ? `${n} files or folders` : `${n} ${word}s`
  }
  return [...counts].map(([word, n]) => plural(word, n)).join(', ') || 'Files'
}
