import { defineStore } from 'pinia'
import { ref } from 'vue'
import { useHistory } from '../shared/history.ts'

export type PartFilter = 'all' | 'train' | 'test'
export type TrialView = 'list' | 'grid'

/** How the trial browser shows trials. */
export const useTrialView = defineStore('trialView', () => {
  const part = ref<PartFilter>('all')
  const view = ref<TrialView>('list')
  const search = ref('')
  useHistory().include('trialView', { part, view, search })
  return { part, view, search }
})
