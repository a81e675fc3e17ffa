import type { Answers, Facts, FoundInGallery } from './data.ts'

/** One of the best. */
export interface FoundImage {
  /** What picking it selects: the stimulus, or its number in the gallery. */
  key: number
  /** 1 is best. */
  place: number
  similarity: number
  correct: boolean
}

/** What one query finds. */
export interface Found {
  list: FoundImage[]
  /** Place of the right one; halves where tied. None where a gallery does not hold it, or not among its best. */
  rank?: number
  /** Candidates in the pool. */
  pool: number
}

function listOf(
  table: { k: number; index: Int32Array; similarity: Float32Array },
  query: number,
  entry: (index: number) => Pick<FoundImage, 'key' | 'correct'>,
): FoundImage[] {
  return Array.from({ length: table.k }, (_, i) => {
    const at = query * table.k + i
    return { place: i + 1, similarity: table.similarity[at], ...entry(table.index[at]) }
  })
}

/** What a row finds, by the kind of question. */
export const foundOf = {
  image(facts: Facts, table: Answers, row: number): Found {
    const own = facts.own[row]
    const list = listOf(table, row, (column) => ({ key: facts.stimulus[column], correct: column === own }))
    return { list, rank: table.rank[row], pool: facts.images }
  },
  brain(facts: Facts, table: Answers, row: number): Found {
    const query = facts.seen.indexOf(facts.own[row])
    const list = listOf(table, query, (candidate) => ({
      key: facts.stimulus[facts.seen[candidate]],
      correct: candidate === query,
    }))
    return { list, rank: table.rank[query], pool: facts.seen.length }
  },
  gallery(_facts: Facts, table: FoundInGallery, row: number): Found {
    const own = table.own[row]
    const list = listOf(table, row, (number) => ({ key: number, correct: number === own }))
    const place = list.findIndex(({ correct }) => correct)
    return { list, rank: place < 0 ? undefined : place + 1, pool: table.images }
  },
}

/** `3`, or `3.5` where ties are broken by lot. */
export const rankText = (rank: number | undefined): string =>
  rank === undefined ? '–' : Number.isInteger(rank) ? rank.toLocaleString('en') : rank.toFixed(1)
