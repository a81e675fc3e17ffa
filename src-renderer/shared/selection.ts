import { defineStore } from 'pinia'
import { ref } from 'vue'
import { useHistory } from './history.ts'

/**
 * The one selection that every view shares. A trial is a row of the subject's trial table, a voxel an index into its V voxels, a candidate
 * an index into its stimuli. What belongs to a subject goes with it.
 */
export const useSelection = defineStore('selection', () => {
  const subject = ref<string>()
  const run = ref<string>()
  const trial = ref<number>()
  const voxel = ref<number>()
  const roi = ref<string>()
  const candidate = ref<number>()

  function selectSubject(id: string | undefined) {
    if (id === subject.value) return
    subject.value = id
    trial.value = voxel.value = roi.value = candidate.value = run.value = undefined
  }

  /** A run belongs to a subject, which is selected with it. */
  function selectRun(id: string | undefined, subjectOfRun?: string) {
    if (subjectOfRun !== undefined) selectSubject(subjectOfRun)
    run.value = id
  }

  function selectTrial(row: number | undefined) {
    if (row === trial.value) return
    trial.value = row
    candidate.value = undefined
  }

  useHistory().include('selection', { subject, run, trial, voxel, roi, candidate })
  return { subject, run, trial, voxel, roi, candidate, selectSubject, selectRun, selectTrial }
})
