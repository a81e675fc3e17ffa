import { defineStore } from 'pinia'
import { computed, ref, shallowReactive, watch } from 'vue'
import type { Evaluation } from '../../src-main/actions/evaluate.ts'
import type { RunRecord } from '../../src-main/workspace/index.ts'
import { api, start, toProblem, type Problem } from '../shared/api.ts'
import { onEvent } from '../shared/events.ts'
import { useHistory } from '../shared/history.ts'
import { useSelection } from '../shared/selection.ts'
import { recall, remember } from '../shared/session.ts'
import { useWorkspace } from '../shared/workspace.ts'
import { createForm, type Form } from './form.ts'
import { createRunData } from './runData.ts'
import { assignSlots, styleOf } from './series.ts'

/** What the page remembers of this place. */
interface Remembered {
  form: Form
  shown: string[]
  slots: Record<string, number>
  smoothing: number
  isLog: boolean
}

/** Runs whose curves are shown when nobody has chosen. */
const FIRST_SHOWN = 3

/** The Train place: the form of a new training, which runs' curves are shown and how, and what runs have written. */
export const useTraining = defineStore('training', () => {
  const workspace = useWorkspace()
  const selection = useSelection()
  const form = createForm()
  const data = createRunData()

  /** Runs whose curves are shown (the eye), and their hues. */
  const shown = ref<string[]>([])
  const slots = ref<Record<string, number>>({})
  const fold = ref('all')
  const smoothing = ref(0.45)
  const isLog = ref(false)
  /** The two runs that are compared, chosen in the table; else the selected one and the one before it. */
  const compared = ref<string[]>([])
  const search = ref('')
  const optionQuery = ref('')
  /** What starting, resuming or deleting a run met with. */
  const problem = ref<Problem>()
  const isStarting = ref(false)
  /** The place was opened. */
  const started = ref(false)
  const scores = shallowReactive(new Map<string, Evaluation | Problem>())

  const history = useHistory()
  history.include('training', { form: form.form, shown, fold, smoothing, isLog, compared })

  const run = computed(() => workspace.runOf(selection.run))
  const shownRuns = computed(() => shown.value.flatMap((id) => workspace.runOf(id) ?? []))
  /** The run that the batch and the log belong to. */
  const current = computed(
    () => run.value ?? workspace.runs.find(({ state }) => state === 'running') ?? shownRuns.value[0],
  )
  const jobOf = (id: string) => workspace.activeJobs.find((job) => job.run === id)
  const styleFor = (id: string) => styleOf(slots.value[id] ?? 0)

  function show(id: string, on = true) {
    if (on === shown.value.includes(id)) return
    shown.value = on ? [...shown.value, id] : shown.value.filter((other) => other !== id)
  }

  function select(record: RunRecord) {
    selection.selectRun(record.id, record.subject)
  }

  async function attempt(work: () => Promise<void>) {
    problem.value = undefined
    try {
      await work()
    } catch (error) {
      problem.value = toProblem(error)
    }
  }

  /** Shows and selects the run of a job as soon as it is known. */
  function showRunOf(job: number) {
    const stop = watch(
      () => workspace.runOf(workspace.jobOf(job)?.run),
      (record) => {
        if (!record) return
        show(record.id)
        select(record)
        queueMicrotask(() => stop())
      },
      { immediate: true },
    )
  }

  const canStart = computed(
    () => form.problems.value.length === 0 && form.estimate.value !== undefined && !isStarting.value,
  )
  const begin = () =>
    attempt(async () => {
      isStarting.value = true
      try {
        const { job } = await start.train.mutate(form.input())
        showRunOf(job)
      } finally {
        isStarting.value = false
      }
    })

  const resume = (id: string) =>
    attempt(async () => {
      const { job } = await start.train.mutate({ resume: id })
      showRunOf(job)
    })

  const stop = (id: string) =>
    attempt(async () => {
      const job = jobOf(id)
      if (job) await workspace.cancel(job.id)
    })

  const remove = (id: string) =>
    attempt(async () => {
      await api.runs.mutate({ do: 'delete', run: id })
      if (selection.run === id) selection.selectRun(undefined)
      drop(id)
    })

  function drop(id: string) {
    show(id, false)
    compared.value = compared.value.filter((other) => other !== id)
    data.forget(id)
  }

  /** Scores of a finished run, asked for once. */
  const scoring = new Set<string>()
  async function score(id: string) {
    const record = workspace.runOf(id)
    if (record?.state !== 'done' || scores.has(id) || scoring.has(id)) return
    scoring.add(id)
    try {
      scores.set(id, await api.evaluate.mutate({ run: id, kind: 'none' }))
    } catch (error) {
      scores.set(id, toProblem(error))
    } finally {
      scoring.delete(id)
    }
  }

  const watched = computed(() => [...new Set([...shown.value, ...(current.value ? [current.value.id] : [])])])
  const follow = (id: string) => void data.pull(id).catch(() => {}) // a run that is gone is told by the lists
  const followBatch = (id: string) => void data.pullBatch(id).catch(() => {})

  watch(watched, (ids) => ids.forEach(follow), { immediate: true })
  watch(
    () => current.value?.id,
    (id) => id && followBatch(id),
    { immediate: true },
  )
  watch(shown, (ids) => (slots.value = assignSlots(ids, slots.value)), { deep: true, immediate: true })
  // Runs that are looked at first, then those that ended while no page was open: one at a time, since questions share an engine.
  const unscored = computed(() => {
    const done = workspace.runs.filter(({ state }) => state === 'done').map(({ id }) => id)
    const isWatched = (id: string) => Number(watched.value.includes(id))
    return done.filter((id) => !scores.has(id)).sort((a, b) => isWatched(b) - isWatched(a))
  })
  watch(
    () => started.value && unscored.value[0],
    (id) => id && void score(id),
    { immediate: true },
  )
  onEvent('metrics', ({ run: id }) => watched.value.includes(id) && follow(id))
  onEvent('batch', ({ run: id }) => id === current.value?.id && followBatch(id))
  onEvent('runsRemoved', (ids) =>
    ids.forEach((id) => {
      drop(id)
      scores.delete(id) // not before: it would be a finished run without scores
    }),
  )
  onEvent('snapshot', () => {
    watched.value.forEach(follow)
    if (current.value) followBatch(current.value.id)
  })

  const workspaceIsKnown = () =>
    new Promise<void>((resolve) => {
      watch(
        () => workspace.ready,
        (ready) => ready && resolve(),
        { immediate: true },
      )
    })

  let opening: Promise<void> | undefined
  /** Brings back what was shown the last time; else the newest runs. */
  function open(): Promise<void> {
    started.value = true
    opening ??= (async () => {
      await form.loadCatalogue()
      const last = await recall<Remembered>('training')
      await workspaceIsKnown()
      if (last) {
        form.form.value = last.form
        slots.value = last.slots
        smoothing.value = last.smoothing
        isLog.value = last.isLog
      }
      const kept = last?.shown.filter((id) => workspace.runOf(id))
      shown.value =
        kept ??
        workspace.runs
          .slice(0, FIRST_SHOWN)
          .map(({ id }) => id)
          .reverse()
      await history.forget()
      remember('training', () => ({
        form: form.form.value,
        shown: shown.value,
        slots: slots.value,
        smoothing: smoothing.value,
        isLog: isLog.value,
      }))
    })()
    return opening
  }

  return {
    ...form,
    ...{ shown, slots, fold, smoothing, isLog, compared, search, optionQuery, problem, isStarting, scores },
    ...{ run, current, shownRuns, jobOf, styleFor, show, select, canStart, begin, resume, stop, remove, score, open },
    ...{ version: data.version, batchVersion: data.batchVersion, numbersOf: data.numbersOf, batchOf: data.batchOf },
  }
})
