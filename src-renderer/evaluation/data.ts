import { getJson } from '../shared/api.ts'
import type { ExperimentJob } from './insights.ts'
import type { EvaluationCatalogue, KindValues, ListedSet, RowKey } from './rows.ts'

export const loadCatalogue = (signal: AbortSignal) => getJson<EvaluationCatalogue>('evaluation/catalogue', signal)

/** Sets of reconstructions of all finished runs, of each run the newest first. */
export const loadSets = (signal: AbortSignal) => getJson<ListedSet[]>('evaluation/sets', signal)

/** Experiments of all subjects, those at work and those that were stopped, too. */
export const loadExperiments = (signal: AbortSignal) => getJson<ExperimentJob[]>('evaluation/experiments', signal)

const kindPath = ({ run, set, kind }: RowKey) =>
  ['evaluation', run, set, kind].map((part) => encodeURIComponent(part!)).join('/')

export const loadValues = (key: RowKey) => getJson<KindValues>(kindPath(key))
