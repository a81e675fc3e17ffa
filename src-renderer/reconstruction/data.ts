import type { Kind, ListedSet, TrialResult } from '../../src-main/api/routes/reconstructions.ts'
import type { RunConfig } from '../../src-main/actions/train.ts'
import type { RunRecord } from '../../src-main/workspace/index.ts'
import { apiUrl, getJson } from '../shared/api.ts'

export type { Kind, ListedSet, TrialResult }

export const kinds: readonly Kind[] = ['low', 'high', 'combined']

const pathOf = (run: string): string => `reconstructions/${encodeURIComponent(run)}`

export const loadSets = (run: string, signal: AbortSignal): Promise<ListedSet[]> => getJson(pathOf(run), signal)

export const loadTrial = (run: string, set: string, trial: number, signal: AbortSignal): Promise<TrialResult> =>
  getJson(`${pathOf(run)}/${set}/${trial}`, signal)

/** The address of a reconstruction, the chosen candidate or another. */
export const pictureUrl = (run: string, set: string, trial: number, kind: Kind, candidate?: number): string =>
  // A set's pictures never change: its name is that of its settings.
  apiUrl(
    `${pathOf(run)}/${set}/${trial}/picture?kind=${kind}${candidate === undefined ? '' : `&candidate=${candidate}`}&v=1`,
  )

/** The address of what is being denoised, after so many steps. */
export const watchUrl = (run: string, steps: number): string => apiUrl(`${pathOf(run)}/watch?step=${steps}`)

const configOf = ({ config }: RunRecord): RunConfig => config as unknown as RunConfig

/** The kinds of pictures that a run can make of its trials, with a low-level run beside it or without. */
export function kindsOf(run: RunRecord, hasLow: boolean): Kind[] {
  const { method, targets, pictures } = configOf(run).training
  if (method === 'low-level') return ['low']
  if (method !== 'mindeye' || (targets === 'study' && !pictures)) return []
  return hasLow || targets === 'study' ? ['low', 'high', 'combined'] : ['high']
}

/** Whether pictures come from noise, by the networks of a pack. */
export const isDiffused = (run: RunRecord): boolean => configOf(run).training.targets === 'clip'

/** Whether a run decodes blurry pictures alone, for another one to begin at. */
export const isLowLevel = (run: RunRecord): boolean => configOf(run).training.method === 'low-level'

/** Finished low-level runs of the same subject, newest first. */
export const lowRunsFor = (run: RunRecord, finished: readonly RunRecord[]): RunRecord[] =>
  finished.filter((other) => other.subject === run.subject && isLowLevel(other))

/** In a few words, what tells a set from another. */
export function setWords({ settings, kinds: made }: ListedSet): string {
  const { strength, guidance, samples, steps, seed, without } = settings
  const number = (name: string, value: unknown) => (typeof value === 'number' ? [`${name} ${value}`] : [])
  return [
    made.join(', '),
    ...number('strength', strength),
    ...number('guidance', guidance),
    ...number('K', samples),
    ...number('steps', steps),
    ...number('seed', seed),
    ...(Array.isArray(without) ? [`without ${(without as string[]).join(', ')}`] : []),
  ].join(' · ')
}
