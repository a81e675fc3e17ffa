import type { Evaluation } from '../../src-main/actions/evaluate.ts'
import type { EvaluationCatalogue, KindValues, ListedSet } from '../../src-main/api/routes/evaluation.ts'
import type { Metric, MetricId } from '../../src-main/evaluation/metrics.ts'
import type { PublishedTable } from '../../src-main/evaluation/published.ts'
import type { MetricScore } from '../../src-main/evaluation/reconstructionScores.ts'
import type { Score } from '../../src-main/evaluation/retrievalScores.ts'
import type { Kind } from '../../src-main/reconstruction/sets.ts'

export type { Evaluation, EvaluationCatalogue, Kind, KindValues, ListedSet, Metric, MetricId }

/** What a row of the table is about: one kind of a set of reconstructions; without a set only what the run retrieves. */
export interface RowKey {
  run: string
  set?: string
  kind?: Kind
}

export const keyText = ({ run, set, kind }: RowKey): string => [run, set, kind].filter(Boolean).join('/')

export function parseKey(text: string): RowKey {
  const [run, set, kind] = text.split('/')
  return { run, set, kind: kind as Kind | undefined }
}

export type RetrievalColumn = 'retrieval.image' | 'retrieval.brain' | 'retrieval.pixel'
export type ColumnId = MetricId | RetrievalColumn

export interface Column {
  id: ColumnId
  title: string
  meaning: string
  better: 'higher' | 'lower'
}

const retrievalColumns: Column[] = [
  { id: 'retrieval.image', title: 'Image', meaning: 'top-1: given the brain, find the image', better: 'higher' },
  {
    id: 'retrieval.brain',
    title: 'Brain',
    meaning: 'top-1: given the image, find the brain pattern',
    better: 'higher',
  },
  {
    id: 'retrieval.pixel',
    title: 'By pixels',
    meaning: 'top-1: given the reconstruction, find the image by correlation of pixels',
    better: 'higher',
  },
]

export const columnsOf = ({ metrics }: EvaluationCatalogue): Column[] => [
  ...metrics.map(({ id, title, meaning, better }) => ({ id, title, meaning, better })),
  ...retrievalColumns,
]

/** A score with what it was made of; published ones have only their mean. */
export interface Cell {
  mean: number
  ci95?: readonly [number, number]
  n?: number
  /** Images from which one is chosen, or among which reconstructions are told apart. */
  pool?: number
  chance?: number
  p?: number
  version?: string
}

export interface ScoreRow {
  key: string
  name: string
  published: boolean
  /** `n = 12, pool 12, split shipped`: beside the name. */
  about: string
  cells: Partial<Record<ColumnId, Cell>>
  /** Why a column has no score. */
  missing: Partial<Record<ColumnId, string>>
  /** Of our own runs. */
  facts?: RowFacts
}

export interface RowFacts {
  run: string
  split: string
  repeats: string
  seed: number
  kind?: Kind
  set?: string
}

export function ownRow(key: string, name: string, evaluation: Evaluation, images: string): ScoreRow {
  const { retrieval, pool, trials, split, repeats, run, seed, kind, set, reconstructions } = evaluation
  const metric = (score: MetricScore): Cell => ({ ...score, pool: evaluation.images })
  const top = ({ mean, ci95, n, chance }: Score, of: number): Cell => ({ mean, ci95, n, chance, pool: of })
  const cells: ScoreRow['cells'] = {
    'retrieval.image': top(retrieval.image.top1, pool),
    'retrieval.brain': top(retrieval.brain.top1, pool),
  }
  if (retrieval.pixel) cells['retrieval.pixel'] = top(retrieval.pixel.top1, evaluation.images!)
  const { pixcorr, ssim, twoway, distance, standIn } = evaluation
  for (const [id, score] of Object.entries({ pixcorr, ssim, ...twoway, ...distance, ...standIn }))
    if (score) cells[id as MetricId] = metric(score)
  const missing: ScoreRow['missing'] = {}
  for (const { metrics, title, place, source, found } of evaluation.missing ?? [])
    for (const id of metrics) missing[id] = `Needs ${title} in the pack’s ${place} (${source}). Found: ${found}.`
  return {
    ...{ key, name, cells, missing, published: false },
    about: `n ${reconstructions ?? trials}, pool ${evaluation.images ?? pool}, ${images}, split ${split}`,
    facts: { run, split, repeats, seed, kind, set },
  }
}

export const publishedRows = ({ rows, pool, source }: PublishedTable): ScoreRow[] =>
  rows.map(({ method, scores, retrieval }) => {
    const cells: ScoreRow['cells'] = {}
    for (const [id, mean] of Object.entries(scores)) cells[id as MetricId] = { mean }
    if (retrieval.image !== undefined) cells['retrieval.image'] = { mean: retrieval.image, pool }
    if (retrieval.brain !== undefined) cells['retrieval.brain'] = { mean: retrieval.brain, pool }
    return { key: `published ${method}`, name: method, published: true, about: source, cells, missing: {} }
  })

/** Columns in which some row has a score, or lacks one for a reason that it can tell. */
export const filledColumns = (columns: readonly Column[], rows: readonly ScoreRow[]): Column[] =>
  columns.filter(({ id }) => rows.some(({ cells, missing }) => cells[id] ?? missing[id]))

export interface Order {
  column: ColumnId
  descending: boolean
}

/** Rows in the order of a column; those without a score come last. */
export function sortedRows(rows: readonly ScoreRow[], order: Order | undefined): ScoreRow[] {
  if (!order) return [...rows]
  const value = ({ cells }: ScoreRow) => cells[order.column]?.mean
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)]
    if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined)
    return order.descending ? y - x : x - y
  })
}
