import type { SubjectDetail, TrialColumns } from '../../src-main/api/routes/subjects.ts'
import { apiUrl, getJson } from '../shared/api.ts'
import { useLoaded, type Loaded } from '../shared/reload.ts'
import { useSelection } from '../shared/selection.ts'
import { useWorkspace } from '../shared/workspace.ts'

/** As the app sends it, in typed arrays. */
export interface Trials {
  count: number
  stimulus: Int32Array
  part: Int8Array
  session: Int32Array
  run: Int32Array
  ids: string[]
  /** Rows by stimulus. */
  showings: Map<number, number[]>
}

const MOST_KEPT = 12

/** What was asked for lately by key; plain, since tables of tens of thousands of rows are not for a store. */
class Kept<T> {
  private readonly entries = new Map<string, Promise<T>>()

  get(key: string, load: () => Promise<T>): Promise<T> {
    const known = this.entries.get(key)
    const entry = known ?? load()
    this.entries.delete(key)
    this.entries.set(key, entry)
    if (!known) entry.catch(() => this.entries.delete(key))
    if (this.entries.size > MOST_KEPT) this.entries.delete(this.entries.keys().next().value!)
    return entry
  }
}

const details = new Kept<SubjectDetail>()
const tables = new Kept<Trials>()

/** Of an imported subject; the date of its import tells a new one of the same id from the old one. */
interface Key {
  id: string
  added: string
}

const nameOf = ({ id, added }: Key): string => `${id} ${added}`
const pathOf = ({ id }: Key): string => `subjects/${encodeURIComponent(id)}`

export const loadDetail = (key: Key): Promise<SubjectDetail> =>
  details.get(nameOf(key), () => getJson<SubjectDetail>(pathOf(key)))

export const loadTrials = (key: Key): Promise<Trials> =>
  tables.get(nameOf(key), async () => {
    const columns = await getJson<TrialColumns>(`${pathOf(key)}/trials`)
    const showings = new Map<number, number[]>()
    columns.stimulus.forEach((stimulus, row) => {
      const rows = showings.get(stimulus)
      if (rows) rows.push(row)
      else showings.set(stimulus, [row])
    })
    return {
      count: columns.count,
      stimulus: Int32Array.from(columns.stimulus),
      part: Int8Array.from(columns.part),
      session: Int32Array.from(columns.session),
      run: Int32Array.from(columns.run),
      ids: columns.ids,
      showings,
    }
  })

function selectedKey(): Key | undefined {
  const subject = useWorkspace().subjectOf(useSelection().subject)
  return subject && { id: subject.id, added: subject.added }
}

/** Facts of the selected subject. */
export const useDetail = (): Loaded<SubjectDetail> => loaded(loadDetail)
/** Trials of the selected subject. */
export const useTrials = (): Loaded<Trials> => loaded(loadTrials)

function loaded<T>(load: (key: Key) => Promise<T>): Loaded<T> {
  // By value: the lists of the workspace are replaced whenever one of them changes.
  return useLoaded(
    () => {
      const key = selectedKey()
      return key && JSON.stringify(key)
    },
    (text) => load(JSON.parse(text) as Key),
  )
}

/** The address of a picture of at least `size` pixels. */
export const pictureUrl = (
  { id, version }: Pick<SubjectDetail, 'id' | 'version'>,
  stimulus: number,
  size: number,
): string => apiUrl(`${pathOf({ id, added: '' })}/stimuli/${stimulus}.png?size=${size}&v=${version}`)

export const ATLAS_COLUMNS = 8
export const ATLAS_COUNT = 64

/** The address of the picture that holds 64 thumbnails from `block * 64` on, eight to a row. */
export const atlasUrl = ({ id, version }: Pick<SubjectDetail, 'id' | 'version'>, block: number, cell: number): string =>
  apiUrl(
    `${pathOf({ id, added: '' })}/atlas?start=${block * ATLAS_COUNT}&count=${ATLAS_COUNT}&columns=${ATLAS_COLUMNS}&size=${cell}&v=${version}`,
  )

export const partWords = ['none', 'train', 'test'] as const
/** `train`, `test` or `none`. */
export const partWord = (part: number): string => partWords[part + 1]
