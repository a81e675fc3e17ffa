import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import type { ListedSubject } from '../../src-main/actions/subjects.ts'
import type { Progress } from '../../src-main/base/progress.ts'
import type { JobRecord, PackRecord, RunRecord } from '../../src-main/workspace/index.ts'
import { jobsApi, toProblem } from './api.ts'
import { onEvent } from './events.ts'

/** The lists of the workspace as they are now, whoever changes them. */
export const useWorkspace = defineStore('workspace', () => {
  const path = ref('')
  /** The first lists have come. */
  const ready = ref(false)
  const subjects = shallowRef<ListedSubject[]>([])
  const packs = shallowRef<PackRecord[]>([])
  /** Newest first. */
  const runs = shallowRef<RunRecord[]>([])
  const jobs = shallowRef<JobRecord[]>([])
  /** Of jobs of this app, as they come. */
  const progress = shallowRef(new Map<number, Progress>())
  const log = shallowRef<{ at: string; line: string }[]>([])

  onEvent('snapshot', (all) => {
    path.value = all.workspace
    subjects.value = all.subjects
    runs.value = all.runs
    jobs.value = all.jobs
    packs.value = all.packs
    ready.value = true
  })
  onEvent('subjects', (list) => (subjects.value = list))
  onEvent('packs', (list) => (packs.value = list))
  onEvent(
    'runs',
    (changed) =>
      (runs.value = merge(
        runs.value,
        changed,
        (a, b) => b.created.localeCompare(a.created) || b.id.localeCompare(a.id),
      )),
  )
  onEvent('runsRemoved', (ids) => (runs.value = runs.value.filter(({ id }) => !ids.includes(id))))
  onEvent('jobs', (changed) => (jobs.value = merge(jobs.value, changed, (a, b) => b.id - a.id)))
  onEvent('progress', ({ job, report }) => {
    progress.value = new Map(progress.value).set(job, report)
  })
  onEvent('log', (line) => (log.value = [...log.value.slice(-999), line]))

  const activeJobs = computed(() => jobs.value.filter(({ state }) => state === 'running' || state === 'queued'))
  const subjectOf = (id: string | undefined) => subjects.value.find((subject) => subject.id === id)
  const runOf = (id: string | undefined) => runs.value.find((run) => run.id === id)
  const jobOf = (id: number | undefined) => jobs.value.find((job) => job.id === id)
  const progressOf = (job: JobRecord) => progress.value.get(job.id) ?? job.progress

  /** Settles with the record of a job when it has ended. */
  function jobEnd(id: number): Promise<JobRecord> {
    return new Promise((resolve) => {
      const look = () => {
        const job = jobOf(id)
        if (!job || job.state === 'running' || job.state === 'queued') return
        stops.forEach((stop) => stop())
        resolve(job)
      }
      const stops = [onEvent('jobs', look), onEvent('snapshot', look)]
      look()
    })
  }

  async function cancel(job: number) {
    try {
      await jobsApi.cancel.mutate({ job })
    } catch (error) {
      log.value = [...log.value, { at: new Date().toISOString(), line: toProblem(error).message }]
    }
  }

  return {
    path,
    ready,
    subjects,
    packs,
    runs,
    jobs,
    activeJobs,
    progress,
    log,
    subjectOf,
    runOf,
    jobOf,
    progressOf,
    jobEnd,
    cancel,
  }
})

function merge<T extends { id: string | number }>(
  list: readonly T[],
  changed: readonly T[],
  order: (a: T, b: T) => number,
): T[] {
  const ids = new Set(changed.map(({ id }) => id))
  return [...changed, ...list.filter(({ id }) => !ids.has(id))].sort(order)
}
