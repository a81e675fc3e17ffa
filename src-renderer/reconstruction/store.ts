import { defineStore } from 'pinia'
import { computed, markRaw, ref, watch } from 'vue'
import { start, toProblem, type Problem } from '../shared/api.ts'
import { useHistory } from '../shared/history.ts'
import { useLoaded } from '../shared/reload.ts'
import { useWorkspace } from '../shared/workspace.ts'
import { useRetrieval } from '../retrieval/store.ts'
import { isDiffused, kindsOf, loadSets, loadTrial, lowRunsFor, watchUrl, type Kind, type ListedSet } from './data.ts'

/** Pictures of what was seen, for the selected trial of the selected run. */
export const useReconstruction = defineStore('reconstruction', () => {
  const retrieval = useRetrieval()
  const workspace = useWorkspace()

  const strength = ref(0.85)
  /** Undefined: what suits the pack's denoiser. */
  const guidance = ref<number>()
  const samples = ref(1)
  const steps = ref(20)
  const seed = ref(42)
  /** Undefined: the newest. */
  const chosenLowRun = ref<string>()
  /** The set that is shown; undefined: the newest that has the trial. */
  const chosenSet = ref<string>()
  /** Candidate in place of the chosen one, by kind. */
  const candidates = ref<Partial<Record<Kind, number>>>({})
  /** Names of the areas that are switched off, in order. */
  const off = ref<string[]>([])
  useHistory().include('reconstruction', { strength, guidance, samples, steps, seed, chosenLowRun, chosenSet, off })

  const run = computed(() => retrieval.run)
  /** The pattern's first trial, by which its pictures are called. */
  const trial = computed(() => (retrieval.row === undefined ? undefined : retrieval.facts?.trial[retrieval.row]))
  const lowRuns = computed(() => (run.value ? lowRunsFor(run.value, retrieval.finished) : []))
  const lowRun = computed(() => lowRuns.value.find(({ id }) => id === chosenLowRun.value) ?? lowRuns.value[0])
  const possible = computed(() => (run.value ? kindsOf(run.value, lowRun.value !== undefined) : []))

  /** Whether there is noise to start from, and all that goes with it. */
  const diffuses = computed(() => run.value !== undefined && isDiffused(run.value))

  /** The reconstruction of this run that is at work. */
  const job = computed(() =>
    workspace.activeJobs.find((one) => one.action === 'reconstruct' && one.run === run.value?.id),
  )
  const progress = computed(() => job.value && workspace.progressOf(job.value))
  /** e.g. `{ trial: 12, kind: 'combined', step: 3, steps: 17 }`, while a picture is denoised. */
  const denoising = computed(() => {
    const told = /^trial (\d+): (\w+), step (\d+) of (\d+)$/.exec(progress.value?.message ?? '')
    if (!told || !run.value) return undefined
    const [of, , step, all] = [Number(told[1]), told[2], Number(told[3]), Number(told[4])]
    return { trial: of, kind: told[2] as Kind, step, steps: all, url: watchUrl(run.value.id, progress.value!.done) }
  })

  const ended = computed(() =>
    workspace.jobs
      .filter((one) => one.action === 'reconstruct' && one.run === run.value?.id && one.finished)
      .map(({ id }) => id)
      .join(),
  )
  const setsLoaded = useLoaded(
    // Trials come one by one while a job is at work.
    () => run.value && JSON.stringify([run.value.id, ended.value, denoising.value?.trial]),
    (key, signal) => loadSets((JSON.parse(key) as [string])[0], signal),
  )
  const sets = computed<ListedSet[]>(() => setsLoaded.value ?? [])
  const has = (set: ListedSet) => trial.value !== undefined && set.trials.includes(trial.value)
  /** Sets without some areas are shown beside these, or when they are chosen. */
  const whole = computed(() => sets.value.filter(({ settings }) => !settings.without))
  const set = computed(
    () => sets.value.find(({ id }) => id === chosenSet.value) ?? whole.value.find(has) ?? whole.value[0],
  )
  const result = useLoaded(
    () =>
      run.value && set.value && has(set.value) ? JSON.stringify([run.value.id, set.value.id, trial.value]) : undefined,
    (key, signal) => {
      const [ofRun, ofSet, ofTrial] = JSON.parse(key) as [string, string, number]
      return loadTrial(ofRun, ofSet, ofTrial, signal)
    },
  )
  /** What is known of the selected trial in the shown set. */
  const found = computed(() => (result.value?.trial === trial.value ? result.value : undefined))
  watch([trial, () => set.value?.id], () => (candidates.value = {}))
  watch(
    () => run.value?.id,
    () => (chosenSet.value = undefined),
  )

  const problem = ref<Problem>()
  /** Starts a job for some trials (the denoising of which is watched), or for all that were held out. */
  async function reconstruct(trials?: number[], without: readonly string[] = []) {
    if (!run.value || !retrieval.facts) return
    problem.value = undefined
    try {
      const { job: id } = await start.reconstruct.mutate({
        run: run.value.id,
        ...(diffuses.value && lowRun.value && { lowRun: lowRun.value.id }),
        ...{ strength: strength.value, guidance: guidance.value, samples: samples.value, steps: steps.value },
        ...{
          seed: seed.value,
          repeats: retrieval.facts.repeats,
          trials,
          watch: diffuses.value && trials !== undefined,
        },
        ...(without.length && { without: [...without] }),
      })
      const record = await workspace.jobEnd(id)
      if (record.error) problem.value = { ...record.error, message: record.error.found }
      if (record.state === 'done' && !without.length) chosenSet.value = (record.result as { set: string }).set
    } catch (error) {
      problem.value = toProblem(error)
    }
  }

  return {
    ...{ strength, guidance, samples, steps, seed, chosenLowRun, chosenSet, off, candidates },
    ...{
      run,
      trial,
      lowRuns,
      lowRun,
      possible,
      diffuses,
      job,
      progress,
      denoising,
      sets,
      set,
      found,
      problem,
      reconstruct,
    },
    setsLoaded: markRaw(setsLoaded),
    result: markRaw(result),
  }
})
