import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { start, toProblem, type Problem } from '../shared/api.ts'
import { useSelection } from '../shared/selection.ts'
import { useWorkspace } from '../shared/workspace.ts'

/** The demo's simulated subject, made and imported as a job. */
export const useDemo = defineStore('demo', () => {
  const workspace = useWorkspace()
  const selection = useSelection()
  const problem = ref<Problem>()
  const isStarting = ref(false)
  // Also one that another window started.
  const job = computed(() => workspace.activeJobs.find(({ action }) => action === 'demo-subject'))
  const report = computed(() => job.value && workspace.progressOf(job.value))
  const isAtWork = computed(() => isStarting.value || job.value !== undefined)

  async function create() {
    problem.value = undefined
    isStarting.value = true
    try {
      const begun = await start['demo-subject'].mutate({})
      const record = await workspace.jobEnd(begun.job)
      if (record.state === 'done') selection.selectSubject((record.result as { subject: string }).subject)
      else if (record.error) problem.value = { ...record.error, message: record.error.found }
    } catch (error) {
      problem.value = toProblem(error)
    } finally {
      isStarting.value = false
    }
  }

  return { job, report, isAtWork, problem, create }
})
