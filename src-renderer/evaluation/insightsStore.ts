import { defineStore } from 'pinia'
import { computed, markRaw, ref } from 'vue'
import { api, start, toProblem, type Problem } from '../shared/api.ts'
import { useHistory } from '../shared/history.ts'
import { useLoaded } from '../shared/reload.ts'
import { useSelection } from '../shared/selection.ts'
import { useWorkspace } from '../shared/workspace.ts'
import { loadExperiments } from './data.ts'
import { askedAbout } from './insights.ts'
import type { ExperimentName } from './insights.ts'

/** Experiments behind the paper's claims: which one is looked at, what came out, and starting them. */
export const useInsights = defineStore('insights', () => {
  const workspace = useWorkspace()
  const selection = useSelection()

  const name = ref<ExperimentName>('width')
  /** Of several questions about a subject the one looked at; undefined: the newest. */
  const chosen = ref<string>()
  /** Undefined: the first that the experiment has. */
  const measure = ref<string>()
  useHistory().include('insights', { name, chosen, measure })

  const states = computed(() =>
    workspace.jobs.filter(({ action }) => action === 'experiment').map(({ id, state }) => `${id} ${state}`),
  )
  const loaded = useLoaded(
    () => (workspace.ready ? states.value.join() : undefined),
    (_key, signal) => loadExperiments(signal),
  )
  const presets = useLoaded(
    () => workspace.ready || undefined,
    (_ready, signal) => api.presets.mutate({}, { signal }),
  )

  const subject = computed(() => selection.subject ?? workspace.subjects[0]?.id)
  const asked = computed(() => askedAbout(loaded.value ?? [], name.value, subject.value))
  const current = computed(() => asked.value.find(({ key }) => key === chosen.value) ?? asked.value[0])
  const result = computed(() => current.value?.done?.result)
  const measured = computed(
    () => result.value?.measures.find(({ id }) => id === measure.value) ?? result.value?.measures[0],
  )
  /** The job of the question at work, with its progress. */
  const job = computed(() => workspace.activeJobs.find(({ id }) => id === current.value?.last.id))

  const problem = ref<Problem>()
  /** Runs an experiment as a job; what is finished of it already is not done again. */
  async function run(input: Parameters<typeof start.experiment.mutate>[0]) {
    problem.value = undefined
    try {
      await start.experiment.mutate(input)
      chosen.value = undefined // the newest question is this one
    } catch (error) {
      problem.value = toProblem(error)
    }
  }

  return {
    ...{ name, chosen, measure, subject, asked, current, result, measured, job, problem, run },
    loaded: markRaw(loaded),
    presets: markRaw(presets),
  }
})
