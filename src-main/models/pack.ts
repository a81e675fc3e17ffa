import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { basename, relative, resolve } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { toMindEyeError } from '../base/failure.ts'
import { locatePart, packParts, partIdentity, partNames } from './packParts.ts'
import type { Inspection, Part, PartName } from './packParts.ts'

export type { PartName } from './packParts.ts'

/** Parts in whose place another is taken where a pack lacks them. */
const standIns: Partial<Record<PartName, PartName>> = { low_level_vae: 'vae' }

/** What one part of a pack is and how it stands. */
export interface PartReport {
  part: PartName
  title: string
  /** What it is for. */
  use: string
  /** Where it belongs, relative to the pack. */
  place: string
  /** Where it comes from. */
  source: string
  state: 'ready' | 'missing' | 'broken'
  /** Relative to the pack, with bytes on disk. */
  files: { name: string; bytes: number }[]
  parameters: number
  /** Bytes while it computes: weights in float32, and activations for `work`. */
  memory: number
  work?: string
  /** What is wrong with it. */
  faults: string[]
}

export interface PackReport {
  folder: string
  /** Of settings, names and sizes; changes when a part is replaced. */
  fingerprint: string
  parts: PartReport[]
}

/** A folder of pretrained image networks, in the layout of docs/packs.md. */
export interface Pack {
  folder: string
  has(part: PartName): boolean
  /** The path of a part, for its load function; throws a state error that says what it is needed for and where to get it. */
  pathOf(part: PartName): string
}

/** Opens a pack without reading its weights; throws an input error for a folder in which no part of a pack lies. */
export function openPack(path: string): Pack {
  const folder = resolve(path)
  checkFolder(folder)
  const find = (part: PartName) => {
    const standIn = standIns[part]
    return locatePart(folder, part) ?? (standIn && locatePart(folder, standIn))
  }
  return {
    folder,
    has: (part) => find(part) !== undefined,
    pathOf(part) {
      const found = find(part)
      if (found) return found
      const { title, use, source } = packParts[part]
      throw new MindEyeError({
        kind: 'state',
        where: folder,
        field: placeOf(part),
        expected: `${title}, needed for ${use}`,
        found: 'nothing',
        fix: `Put it there (from ${source}); see docs/packs.md.`,
      })
    },
  }
}

/** Reads the headers of everything in a pack and says what each part is, what is missing or wrong, and what it takes. */
export function verifyPack(path: string): PackReport {
  const folder = resolve(path)
  checkFolder(folder)
  const inspections = new Map<PartName, Inspection>()
  const parts = partNames.map((part): PartReport => {
    const { title, use, source, work }: Part = packParts[part]
    const report: PartReport = {
      ...{ part, title, use, place: placeOf(part), source, work },
      ...{ state: 'missing', files: [], parameters: 0, memory: 0, faults: [] },
    }
    try {
      const located = locatePart(folder, part)
      if (!located) return report
      const inspection = packParts[part].inspect(located)
      inspections.set(part, inspection)
      const { files, parameters, working, faults } = inspection
      return {
        ...report,
        state: faults.length ? 'broken' : 'ready',
        files: files.map((file) => ({ name: relative(folder, file), bytes: statSync(file).size })),
        parameters,
        memory: 4 * parameters + working,
        faults,
      }
    } catch (error) {
      return { ...report, state: 'broken', faults: [toMindEyeError(error).message] }
    }
  })
  for (const [part, fault] of disagreements(inspections)) {
    const report = parts.find((candidate) => candidate.part === part)!
    report.faults.push(fault)
    report.state = 'broken'
  }
  return { folder, fingerprint: packFingerprint(folder), parts }
}

/** `sha256:…` of the settings of all parts with names and sizes of their weights. */
export function packFingerprint(folder: string): string {
  const hash = createHash('sha256')
  for (const part of partNames) {
    const located = quietly(() => locatePart(folder, part))
    if (located) hash.update(JSON.stringify([part, partIdentity(located)]))
  }
  return `sha256:${hash.digest('hex')}`
}

/** Parts that are each whole but do not belong together. */
function disagreements(inspections: ReadonlyMap<PartName, Inspection>): [PartName, string][] {
  const size = (part: PartName, name: string) => inspections.get(part)?.sizes[name]
  const pairs = [
    ['image_unet', 'contextWidth', 'image_encoder', 'width', 'wide tokens'],
    ['image_unet', 'latentChannels', 'vae', 'latentChannels', 'channels of latents'],
  ] as const
  return pairs.flatMap(([part, name, other, otherName, what]): [PartName, string][] => {
    const [a, b] = [size(part, name), size(other, otherName)]
    if (a === undefined || b === undefined || a === b) return []
    return [[part, `it works on ${a} ${what}, ${other} has ${b}: they are of different models`]]
  })
}

/** Where a part belongs, relative to its pack: `image_encoder/`, `metrics/alexnet…`. */
export function placeOf(name: PartName): string {
  const { folder, fileNames: [start] = [] }: Part = packParts[name]
  return start ? `${folder}/${start}…` : `${folder}/`
}

function checkFolder(folder: string): void {
  const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory()
  if (isFolder && partNames.some((part) => quietly(() => locatePart(folder, part), 'several'))) return
  const folders = [...new Set(Object.values(packParts).map((part) => part.folder))]
  throw new MindEyeError({
    kind: 'input',
    where: folder,
    expected: `a pack: a folder with at least one of ${folders.join('/, ')}/`,
    found: isFolder ? `none of them in ${basename(folder)}` : 'no such folder',
    fix: 'docs/packs.md says what a pack holds and where its files come from.',
  })
}

function quietly<T>(act: () => T, otherwise?: T): T | undefined {
  try {
    return act()
  } catch {
    return otherwise
  }
}
