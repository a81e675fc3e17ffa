import type { GalleryDetail } from '../../src-main/api/routes/galleries.ts'
import type { GalleryFacts, MapFacts, RetrievalFacts } from '../../src-main/api/routes/retrieval.ts'
import type { MapMethod } from '../../src-main/retrieval/embeddingMap.ts'
import type { Direction } from '../../src-main/retrieval/pools.ts'
import type { Repeats } from '../../src-main/retrieval/repeats.ts'
import { apiUrl, getArray, getJson } from '../shared/api.ts'

export type { Direction, GalleryDetail, GalleryFacts, MapFacts, MapMethod, Repeats, RetrievalFacts }

/** A run's facts with what is looked up by every step through the trials. */
export interface Facts extends RetrievalFacts {
  /** Row by its (first) trial. */
  rowOfTrial: Map<number, number>
  /** Column by stimulus. */
  columnOf: Map<number, number>
  /** Rows by column. */
  rowsOf: Map<number, number[]>
}

/** The k best of every query, and the place of its right one. */
export interface Answers {
  /** What rows and columns are: arrays of other facts are none of these. */
  facts: Facts
  direction: Direction
  queries: number
  k: number
  /** (queries, k): columns in the image direction; in the brain direction places in `facts.seen`. */
  index: Int32Array
  similarity: Float32Array
  /** (queries) */
  rank: Float32Array
}

/** The k best of a gallery for every row. */
export interface FoundInGallery extends GalleryFacts {
  facts: Facts
  /** (rows, k): numbers in the gallery. */
  index: Int32Array
  similarity: Float32Array
  /** (rows): number of the very image that was seen, -1 where the gallery does not hold it. */
  own: Int32Array
}

/** Embeddings in the plane. */
export interface PlaneMap extends MapFacts {
  facts: Facts
  /** (patterns + images, 2). */
  xy: Float32Array
  method: MapMethod
  fold: number
}

const query = (values: Record<string, string | number | undefined>): string => {
  const given = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  return new URLSearchParams(given).toString()
}

const runPath = (run: string): string => `retrieval/${encodeURIComponent(run)}`

export async function loadFacts(run: string, repeats: Repeats | undefined, signal: AbortSignal): Promise<Facts> {
  const facts = await getJson<RetrievalFacts>(`${runPath(run)}?${query({ repeats })}`, signal)
  const rowsOf = new Map<number, number[]>()
  facts.own.forEach((column, row) => {
    const rows = rowsOf.get(column)
    if (rows) rows.push(row)
    else rowsOf.set(column, [row])
  })
  return {
    ...facts,
    rowOfTrial: new Map(facts.trial.map((trial, row) => [trial, row])),
    columnOf: new Map(facts.stimulus.map((stimulus, column) => [stimulus, column])),
    rowsOf,
  }
}

/** How many of the best are asked for: as many as fit on a large screen. */
const TOP = 60

export interface Question {
  direction: Direction
  pool?: number
  seed: number
}

export async function loadAnswers(facts: Facts, question: Question, signal: AbortSignal): Promise<Answers> {
  const { run, repeats, version, rows, seen } = facts
  const asked = query({ ...question, repeats, top: TOP, v: version })
  const { data } = await getArray(`${runPath(run)}/answers?${asked}`, Int32Array, signal)
  const queries = question.direction === 'image' ? rows : seen.length
  const k = (data.length / queries - 1) / 2
  return {
    facts,
    direction: question.direction,
    queries,
    k,
    index: data.subarray(0, queries * k),
    similarity: new Float32Array(data.buffer, queries * k * 4, queries * k),
    rank: new Float32Array(data.buffer, queries * k * 8, queries),
  }
}

/** All similarities, (rows, images). */
export async function loadSimilarity(facts: Facts, signal: AbortSignal): Promise<Float32Array> {
  const { run, repeats, version: v } = facts
  return (await getArray(`${runPath(run)}/similarity?${query({ repeats, v })}`, Float32Array, signal)).data
}

export async function loadMap(facts: Facts, method: MapMethod, fold: number, signal: AbortSignal): Promise<PlaneMap> {
  const { run, repeats, version: v } = facts
  const asked = query({ repeats, method, fold, v })
  const [sizes, { data }] = await Promise.all([
    getJson<MapFacts>(`${runPath(run)}/map/facts?${asked}`, signal),
    getArray(`${runPath(run)}/map?${asked}`, Float32Array, signal),
  ])
  return { ...sizes, facts, xy: data, method, fold }
}

/** What a run found in a gallery; without the arrays where its images are not embedded yet. */
export async function loadFound(facts: Facts, gallery: string, signal: AbortSignal): Promise<FoundInGallery> {
  const path = `${runPath(facts.run)}/galleries/${encodeURIComponent(gallery)}`
  const asked = query({ repeats: facts.repeats })
  const found = await getJson<GalleryFacts>(`${path}?${asked}`, signal)
  if (!found.ready)
    return { ...found, facts, index: new Int32Array(), similarity: new Float32Array(), own: new Int32Array() }
  const { data } = await getArray(`${path}/answers?${asked}`, Int32Array, signal)
  const size = found.rows * found.k
  return {
    ...found,
    facts,
    index: data.subarray(0, size),
    similarity: new Float32Array(data.buffer, size * 4, size),
    own: data.subarray(2 * size),
  }
}

/** The address of a picture of the run's subject, of about `size` pixels. */
export const stimulusUrl = ({ subject, version }: Pick<Facts, 'subject' | 'version'>, stimulus: number, size: number) =>
  apiUrl(`subjects/${encodeURIComponent(subject)}/stimuli/${stimulus}.png?size=${size}&v=${version}`)

const galleryPath = ({ id }: Pick<GalleryDetail, 'id'>): string => `retrieval/galleries/${encodeURIComponent(id)}`

export const sheetUrl = (gallery: GalleryDetail, sheet: number): string =>
  apiUrl(`${galleryPath(gallery)}/sheets/${sheet}.jpg?v=${gallery.version}`)

export const galleryImageUrl = (gallery: GalleryDetail, index: number, size: number): string =>
  apiUrl(`${galleryPath(gallery)}/images/${index}.jpg?size=${size}&v=${gallery.version}`)

const names = new Map<string, Promise<string[]>>()
const MOST_BLOCKS = 600

/** The name of an image of a gallery; names come in the blocks of its sheets. */
export async function galleryName(gallery: GalleryDetail, index: number): Promise<string> {
  const { perSheet, version, id } = gallery
  const start = Math.floor(index / perSheet) * perSheet
  const key = `${id} ${version} ${start}`
  let block = names.get(key)
  if (!block) {
    block = getJson<string[]>(`${galleryPath(gallery)}/names?${query({ start, count: perSheet, v: version })}`)
    block.catch(() => names.delete(key))
    names.set(key, block)
    if (names.size > MOST_BLOCKS) names.delete(names.keys().next().value!)
  }
  return (await block)[index - start] ?? ''
}
