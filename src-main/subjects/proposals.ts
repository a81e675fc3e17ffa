import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import type { ErrorParts } from '../base/errors.ts'
import { toMindEyeError } from '../base/failure.ts'
import type { DType } from '../formats/array.ts'
import type { FormatId } from '../formats/recognise.ts'
import { thumbnailPng } from '../formats/thumbnails.ts'
import { safeId, type Recognised } from './importer.ts'
import { Inventory } from './inventory.ts'
import { type OpenedStudy, openStudy, recogniseLayout } from './layouts/index.ts'
import type { Mapping, Study } from './study.ts'
import { findSurfaces } from './surfaces/find.ts'
import { shapeNames, sides } from './surfaces/hemisphere.ts'
import { nameOfFormat } from './unused.ts'
import { count } from './wording.ts'

/** A file of a proposal, as a person would ask after it. */
export interface ProposedFile {
  /** Below what was dropped, e.g. `subj01/roi/V1.nii.gz`. */
  name: string
  /** Bytes. */
  size: number
  format: FormatId | null
  /** The format in words, or why it cannot be used. */
  words: string
}

/** An array that a mapping can name. */
export interface ProposedArray {
  /** As the mapping names it: the array's own name, or `FILE:NAME` where several files have one of that name. */
  name: string
  file: string
  dtype: DType
  shape: number[]
}

/** One dataset among files: what it was recognised as, or why it was not. */
export interface Proposal {
  /** Absolute paths that belong together. */
  paths: string[]
  map: Mapping
  recognised?: Recognised &
    Pick<Study, 'voxelCount' | 'image'> & { trialCount: number; stimulusCount: number; rois: number }
  /** Surfaces of the cortex among the files, in words; files of nothing else can be attached to a subject. */
  surfaces?: string
  /** Why it cannot be imported as it is. */
  problem?: ErrorParts
  /** The first hundreds of its files; `fileCount` says how many there are. */
  files: ProposedFile[]
  fileCount: number
  /** Of all its files. */
  bytes: number
  arrays: ProposedArray[]
  /** A few of its pictures, PNG in base64, for a first look. */
  samples: string[]
}

const MOST_FILES_LISTED = 300
const MOST_ARRAYS_LISTED = 300
/** A folder with more things in it is one dataset, not a shelf of them. */
const MOST_ON_A_SHELF = 64
const SAMPLES = 6
const SAMPLE_PIXELS = 72

/**
 * Sorts what was dropped into datasets, each with what it was recognised as. Files that are nothing by themselves go with the one
 * dataset there is; where there are several, they make a proposal of their own. Throws only where a path does not exist.
 */
export async function proposeDatasets(paths: readonly string[]): Promise<Proposal[]> {
  const proposals: Proposal[] = []
  for (const group of await groupPaths(paths))
    for (const map of await mapsOf(group)) proposals.push(await describeGroup(group, map))
  return proposals
}

/** What a path is on its own: a whole dataset (told apart by `key`), one that lacks something, or nothing. */
type Alone = { path: string; key?: string; lacks: boolean }

async function lookAlone(paths: readonly string[]): Promise<Omit<Alone, 'path'>> {
  const inventory = new Inventory(paths)
  try {
    const best = await recogniseLayout(inventory, {})
    if (!best) return { lacks: false }
    const subjects = (await best.layout.subjects?.(inventory)) ?? []
    if (subjects.length > 1) return { key: `${best.layout.id} ${subjects.join()}`, lacks: false }
    const study = await best.layout.open(inventory, {}).catch(() => undefined)
    return study ? { key: `${best.layout.id} ${study.name}`, lacks: false } : { lacks: true }
  } catch {
    // A damaged file is told where its group is described.
    return { lacks: false }
  } finally {
    inventory.close()
  }
}

/** Paths that belong together; a folder that is a shelf of datasets is opened. */
async function groupPaths(paths: readonly string[]): Promise<string[][]> {
  const shelves = await Promise.all(paths.map(shelfOf))
  const loose = paths.filter((_, i) => shelves[i].length === 1)
  // Alone, what is inside its one folder may be meant; beside others it keeps its name.
  const rest = paths.length === 1 ? shelves[0] : loose.length ? await groupLoose(loose) : []
  return [...shelves.filter((groups) => groups.length > 1 && paths.length > 1).flat(), ...rest]
}

async function groupLoose(paths: readonly string[]): Promise<string[][]> {
  if (paths.length < 2 || paths.length > MOST_ON_A_SHELF) return [[...paths]]
  const alone = await Promise.all(paths.map(async (path): Promise<Alone> => ({ path, ...(await lookAlone([path])) })))
  const groups = new Map<string, string[]>()
  const rest = alone.filter(({ key, lacks }) => !key && !lacks).map(({ path }) => path)
  let helped = false
  for (const { path, key, lacks } of alone) {
    // Several files of one bdpy study share one folder of pictures.
    const whole = lacks && rest.length ? (await lookAlone([path, ...rest])).key : undefined
    if (!key && !whole) {
      if (lacks) rest.push(path)
      continue
    }
    helped ||= whole !== undefined
    const group = groups.get(key ?? whole!)
    if (group) group.push(path)
    else groups.set(key ?? whole!, [path, ...(whole ? rest : [])])
  }
  if (groups.size < 2) return [[...paths]]
  return [...groups.values(), ...(rest.length && !helped ? [rest] : [])]
}

async function shelfOf(path: string): Promise<string[][]> {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [[path]]
  const names = readdirSync(path).filter((name) => !name.startsWith('.'))
  if (names.length === 1) return shelfOf(join(path, names[0]))
  if (!names.length || names.length > MOST_ON_A_SHELF) return [[path]]
  const groups = await groupLoose(names.sort().map((name) => join(path, name)))
  return groups.length > 1 ? groups : [[path]]
}

/** One mapping for each subject where a layout keeps several side by side. */
async function mapsOf(paths: string[]): Promise<Mapping[]> {
  const inventory = new Inventory(paths)
  try {
    const best = await recogniseLayout(inventory, {})
    const subjects = (await best?.layout.subjects?.(inventory)) ?? []
    return subjects.length > 1 ? subjects.map((subject): Mapping => ({ subject: String(subject) })) : [{}]
  } catch {
    return [{}]
  } finally {
    inventory.close()
  }
}

async function describeGroup(paths: string[], map: Mapping): Promise<Proposal> {
  const inventory = new Inventory(paths)
  const proposal: Proposal = { paths, map, files: [], fileCount: 0, bytes: 0, arrays: [], samples: [] }
  try {
    proposal.fileCount = inventory.files.length
    proposal.bytes = inventory.files.reduce((sum, { size }) => sum + size, 0)
    proposal.files = await describeFiles(inventory, proposal.arrays)
  } finally {
    inventory.close()
  }
  let opened: OpenedStudy | undefined
  try {
    opened = await openStudy(paths, map)
    const { layout, recognition, study } = opened
    proposal.recognised = {
      layout: layout.id,
      layoutTitle: layout.title,
      recognition,
      name: safeId(study.name),
      trialCount: study.trials.count,
      stimulusCount: study.stimuli.ids.length,
      voxelCount: study.voxelCount,
      image: study.image,
      rois: study.rois.length,
    }
    proposal.samples = await samplesOf(study)
  } catch (error) {
    proposal.problem = withoutFolders(toMindEyeError(error).parts, paths)
  } finally {
    opened?.close()
  }
  proposal.surfaces = describeSurfaces(inventory, proposal.recognised?.name ?? '')
  return proposal
}

/** Names as the user dropped them; where we keep uploads says nothing. */
function withoutFolders(parts: ErrorParts, paths: readonly string[]): ErrorParts {
  let where = parts.where
  for (const path of paths) where = where?.replaceAll(dirname(path) + sep, '')
  return { ...parts, where }
}

/** `both hemispheres: white, pial, inflated; 12 parcellations`. */
function describeSurfaces(inventory: Inventory, name: string): string | undefined {
  const found = findSurfaces(inventory, name)
  if (!found) return undefined
  const [first, other] = sides.flatMap((side) => found.hemispheres[side] ?? [])
  const side = other ? 'both hemispheres' : `the ${found.hemispheres.left ? 'left' : 'right'} hemisphere`
  const shapes = shapeNames.filter((shape) => first.shapes[shape])
  const { length } = first.parcellations
  return `${side}: ${shapes.join(', ')}${length ? `; ${count(length, 'parcellation')}` : ''}`
}

async function describeFiles(inventory: Inventory, arrays: ProposedArray[]): Promise<ProposedFile[]> {
  const files: ProposedFile[] = []
  for (const file of inventory.files.slice(0, MOST_FILES_LISTED)) {
    const found: ProposedFile = {
      name: inventory.within(file),
      size: file.size,
      format: file.format ?? null,
      words: file.size ? nameOfFormat(file.format) : 'empty',
    }
    files.push(found)
    if (arrays.length >= MOST_ARRAYS_LISTED) continue
    try {
      for (const { name, dtype, shape } of await inventory.arrays(file))
        arrays.push({ name, file: file.name, dtype, shape: [...shape] })
    } catch (error) {
      const { expected, found: seen, field } = toMindEyeError(error).parts
      found.words = `damaged: ${field ? `${field}: ` : ''}expected ${expected}, found ${seen}`
    }
  }
  arrays.splice(MOST_ARRAYS_LISTED)
  const timesNamed = new Map<string, number>()
  for (const { name } of arrays) timesNamed.set(name, (timesNamed.get(name) ?? 0) + 1)
  for (const array of arrays) if (timesNamed.get(array.name)! > 1) array.name = `${basename(array.file)}:${array.name}`
  return files
}

/** A few pictures from all over the study. */
async function samplesOf(study: Study): Promise<string[]> {
  const n = study.stimuli.ids.length
  const { height, width, channels } = study.image
  const wanted = new Set(
    Array.from({ length: Math.min(SAMPLES, n) }, (_, i) => Math.floor((i * n) / Math.min(SAMPLES, n))),
  )
  const samples: string[] = []
  for (const index of wanted) {
    const data = await study.readImages(index, index + 1)
    samples.push(Buffer.from(await thumbnailPng({ data, height, width, channels }, SAMPLE_PIXELS)).toString('base64'))
  }
  return samples
}
