import { formatError } from '../base/errors.ts'
import type { ArrayEntry } from '../formats/array.ts'
import { openNpy } from '../formats/npy.ts'
import type { TarEntry, TarFile } from '../formats/tar.ts'
import type { Inventory, SourceFile } from './inventory.ts'

/** One sample of a webdataset: the files of a tar that share their name up to the first dot. */
export interface Sample {
  file: SourceFile
  tar: TarFile
  key: string
  /** By extension, e.g. `jpg`, `nsdgeneral.npy`. */
  parts: Map<string, TarEntry>
}

/** The samples of all tars whose first sample has a part called `extension`. */
export function findSamples(inventory: Inventory, extension: string): Sample[] {
  const samples: Sample[] = []
  for (const file of inventory.ofFormat('tar')) {
    const tar = inventory.tar(file)
    const found = new Map<string, Sample>()
    for (const entry of tar.entries) {
      const slash = entry.name.lastIndexOf('/') + 1
      const dot = entry.name.indexOf('.', slash)
      if (dot <= slash) continue
      const key = entry.name.slice(0, dot)
      let sample = found.get(key)
      if (!sample) found.set(key, (sample = { file, tar, key, parts: new Map() }))
      sample.parts.set(entry.name.slice(dot + 1), entry)
    }
    const [first] = found.values()
    if (first?.parts.has(extension)) samples.push(...found.values())
  }
  return samples
}

/** A part of a sample; throws a format error that names tar and sample when it is missing. */
export function partOf({ file, key, parts }: Sample, ...extensions: string[]): TarEntry {
  for (const extension of extensions) {
    const entry = parts.get(extension)
    if (entry) return entry
  }
  throw formatError(file.name, `sample ${key}`, extensions.join(' or '), [...parts.keys()].join(', '))
}

/** A part that is an .npy, readable by rows. */
export function arrayOf(sample: Sample, extension: string): ArrayEntry {
  return openNpy(sample.tar.open(partOf(sample, extension))).arrays[0]
}
