import { defineStore } from 'pinia'
import { computed, markRaw, ref, shallowReactive, watch } from 'vue'
import { api, start, toProblem, type Problem } from '../shared/api.ts'
import { counted, runName } from '../shared/format.ts'
import { useHistory } from '../shared/history.ts'
import { useLoaded } from '../shared/reload.ts'
import { useSelection } from '../shared/selection.ts'
import { useWorkspace } from '../shared/workspace.ts'
import { assignSlots, styleOf } from '../training/series.ts'
import { loadCatalogue, loadSets, loadValues } from './data.ts'
import { columnsOf, keyText, ownRow, parseKey, publishedRows } from './rows.ts'
import type { Evaluation, Kind, KindValues, MetricId, Order, ScoreRow } from './rows.ts'

/** What is known of a row: its per-image values, once they are kept, and its totals. */
export interface RowState {
  values?: KindValues
  evaluation?: Evaluation
  problem?: Problem
}

const kindOrder: readonly Kind[] = ['low', 'high', 'combined']

/** The Evaluate place: which runs and kinds are shown, their scores, and which two are compared. */
export const useEvaluation = defineStore('evaluation', () => {
  const workspace = useWorkspace()
  const selection = useSelection()

  /** Rows of the table by key; undefined until somebody chooses: the newest run with all its kinds. */
  const chosen = ref<string[]>()
  const withPublished = ref(true)
  const order = ref<Order>()
  /** The row whose images are shown; undefined: the first that has some. */
  const focus = ref<string>()
  const x = ref<MetricId>('pixcorr')
  const y = ref<MetricId>('ssim')
  const pair = ref<[string | undefined, string | undefined]>([undefined, undefined])
  useHistory().include('evaluation', { chosen, withPublished, order, focus, x, y, pair })

  const finished = computed(() => workspace.runs.filter(({ state }) => state === 'done'))
  const catalogueLoaded = useLoaded(
    () => workspace.ready || undefined,
    (_ready, signal) => loadCatalogue(signal),
  )
  const catalogue = computed(() => catalogueLoaded.value)
  const metrics = computed(() => catalogue.value?.metrics ?? [])
  const metricOf = (id: MetricId) => metrics.value.find((metric) => metric.id === id)

  const ended = computed(() =>
    workspace.jobs
      .filter(({ action, state }) => /reconstruct|demo/.test(action) && state !== 'queued')
      .map(({ id, state }) => `${id} ${state}`),
  )
  const setsLoaded = useLoaded(
    () => (workspace.ready ? [finished.value.map(({ id }) => id), ended.value].join() : undefined),
    (_key, signal) => loadSets(signal),
  )
  const sets = computed(() => setsLoaded.value ?? [])
  const setsOf = (run: string) => sets.value.filter((set) => set.run === run)
  /** What a run is shown by unless somebody chooses: the kinds of its fullest set made with all areas, else its retrieval. */
  const keysOf = (run: string): string[] => {
    const whole = setsOf(run).filter(({ without }) => !without.length)
    const [fullest] = whole.sort((a, b) => b.trials - a.trials)
    if (!fullest) return [run]
    const { set, kinds } = fullest
    return kindOrder.filter((kind) => kinds.includes(kind)).map((kind) => keyText({ run, set, kind }))
  }

  const first = computed(
    () =>
      finished.value.find(({ id }) => id === selection.run) ??
      finished.value.find(({ subject }) => subject === selection.subject) ??
      finished.value[0],
  )
  const initial = ref<string[]>()
  watch(
    () => (setsLoaded.value && first.value ? keysOf(first.value.id) : undefined),
    (keys) => (initial.value ??= keys),
  )
  /** Rows that are shown, of runs that are there. */
  const shown = computed(() =>
    (chosen.value ?? initial.value ?? []).filter((key) => finished.value.some(({ id }) => id === parseKey(key).run)),
  )
  function show(key: string, isShown: boolean) {
    chosen.value = isShown ? [...shown.value, key] : shown.value.filter((other) => other !== key)
  }

  const slots = computed((before: Record<string, number> | undefined) => assignSlots(shown.value, before ?? {}))
  const styleFor = (key: string) => styleOf(slots.value[key] ?? 0)

  const states = shallowReactive(new Map<string, RowState>())
  /** What a row's scores depend on beside its key. */
  const versionOf = (key: string) => {
    const { run, set } = parseKey(key)
    const record = workspace.runOf(run)
    return `${key} ${record?.finished} ${sets.value.find((one) => one.run === run && one.set === set)?.trials}`
  }
  const loadedVersions = new Map<string, string>()
  async function load(key: string) {
    const asked = parseKey(key)
    const version = versionOf(key)
    loadedVersions.set(key, version)
    const put = (state: RowState) => {
      if (loadedVersions.get(key) === version) states.set(key, state)
    }
    try {
      const values = asked.kind && (await loadValues(asked))
      if (values && !values.scored) return put({ values })
      const { run, set, kind = 'none' } = asked
      put({ values, evaluation: await api.evaluate.mutate({ run, set, kind, top: '1' }) })
    } catch (error) {
      put({ problem: toProblem(error) })
    }
  }
  watch(
    () => (setsLoaded.value ? shown.value.map(versionOf) : []),
    () => {
      if (setsLoaded.value)
        for (const key of shown.value) if (loadedVersions.get(key) !== versionOf(key)) void load(key)
    },
    { immediate: true },
  )

  /** Computes the scores of a row as a job. */
  async function score(key: string) {
    const { run, set, kind } = parseKey(key)
    try {
      const { job } = await start.evaluate.mutate({ run, set, kind, top: '1' })
      const record = await workspace.jobEnd(job)
      if (record.error) states.set(key, { problem: { ...record.error, message: record.error.found } })
      else await load(key)
    } catch (error) {
      states.set(key, { problem: toProblem(error) })
    }
  }
  const jobOf = (key: string) => {
    const { run, set, kind } = parseKey(key)
    return workspace.activeJobs.find(
      ({ action, input }) => action === 'evaluate' && input.run === run && input.set === set && input.kind === kind,
    )
  }

  const nameOf = (key: string): string => {
    const { run, set, kind } = parseKey(key)
    const record = workspace.runOf(run)
    // Of several sets each is told by its id.
    const which = set && setsOf(run).length > 1 ? `${kind} ${set.slice(0, 4)}` : kind
    return [record ? runName(record) : run, which].filter(Boolean).join(', ')
  }
  const ownRows = computed((): ScoreRow[] =>
    shown.value.map((key) => {
      const { evaluation } = states.get(key) ?? {}
      if (evaluation)
        return ownRow(
          key,
          nameOf(key),
          evaluation,
          evaluation.repeats === 'average' ? 'repeats averaged' : 'single trials',
        )
      const set = sets.value.find((one) => keyText({ run: one.run, set: one.set, kind: parseKey(key).kind }) === key)
      const about = set ? `${counted(set.trials, 'reconstruction')}, not scored yet` : ''
      return { key, name: nameOf(key), published: false, about, cells: {}, missing: {} }
    }),
  )
  const rows = computed(() => [
    ...ownRows.value,
    ...(withPublished.value && catalogue.value ? publishedRows(catalogue.value.published) : []),
  ])
  const columns = computed(() => (catalogue.value ? columnsOf(catalogue.value) : []))

  /** Rows whose images can be looked at one by one. */
  const withValues = computed(() => shown.value.filter((key) => states.get(key)?.values?.scored))
  const focused = computed(() =>
    focus.value && withValues.value.includes(focus.value) ? focus.value : withValues.value[0],
  )
  const valuesOf = (key: string | undefined) => (key === undefined ? undefined : states.get(key)?.values)
  /** Metrics that the focused row has. */
  const measured = computed(() => metrics.value.filter(({ id }) => valuesOf(focused.value)?.values[id]))

  const subjectOf = (key: string | undefined) =>
    key === undefined ? undefined : workspace.runOf(parseKey(key).run)?.subject
  /** The two that are compared: as chosen, else the first two shown ones of one subject. */
  const compared = computed((): [string, string] | undefined => {
    const ready = shown.value.filter((key) => states.get(key)?.evaluation)
    const [a = ready[0]] = [pair.value[0]].filter((key) => key && ready.includes(key)) as string[]
    const others = ready.filter((key) => key !== a && subjectOf(key) === subjectOf(a))
    const [b = others[0]] = [pair.value[1]].filter((key) => key && others.includes(key)) as string[]
    return a !== undefined && b !== undefined ? [a, b] : undefined
  })
  const comparison = useLoaded(
    () => compared.value && JSON.stringify(compared.value.map(versionOf)),
    (_key, signal) => {
      const [a, b] = compared.value!.map(parseKey)
      const asked = {
        run: a.run,
        set: a.set,
        kind: a.kind ?? 'none',
        against: b.run,
        againstSet: b.set,
        againstKind: b.kind ?? 'none',
      } as const
      return api.compare.mutate(asked, { signal })
    },
  )

  /** A trial of a row is selected everywhere, with the run whose reconstruction it is. */
  function select(key: string, trial: number) {
    focus.value = key
    const { run } = parseKey(key)
    selection.selectRun(run, subjectOf(key))
    selection.selectTrial(trial)
  }

  return {
    chosen,
    withPublished,
    order,
    focus,
    x,
    y,
    pair,
    finished,
    first,
    catalogue,
    catalogueLoaded: markRaw(catalogueLoaded),
    setsLoaded: markRaw(setsLoaded),
    metrics,
    metricOf,
    sets,
    setsOf,
    keysOf,
    shown,
    show,
    styleFor,
    states,
    score,
    jobOf,
    nameOf,
    ownRows,
    rows,
    columns,
    withValues,
    focused,
    valuesOf,
    measured,
    subjectOf,
    compared,
    comparison: markRaw(comparison),
    select,
  }
})
