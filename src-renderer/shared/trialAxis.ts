import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import { useSelection } from './selection.ts'
import { useWorkspace } from './workspace.ts'

/** Some trials of a subject in their order. */
export interface TrialRows {
  subject: string
  rows: readonly number[]
  label: string
  /** The place in `rows` of what a trial that is not among them belongs to, e.g. the mean of its repeats. */
  standIn?(trial: number): number | undefined
}

/** The trials that one steps through with J, K and the scrubber, in their order: all of the subject, unless a view has set others. */
export const useTrialAxis = defineStore('trialAxis', () => {
  const selection = useSelection()
  const workspace = useWorkspace()
  const own = shallowRef<TrialRows>()

  const all = computed(() => {
    const trials = workspace.subjectOf(selection.subject)?.trials ?? 0
    return Array.from({ length: trials }, (_, row) => row)
  })
  const isOwn = computed(() => own.value !== undefined && own.value.subject === selection.subject)
  const rows = computed(() => (isOwn.value ? own.value!.rows : all.value))
  const label = computed(() => (isOwn.value ? own.value!.label : 'all trials'))
  const placeOf = computed(() => new Map(rows.value.map((row, at) => [row, at])))
  const at = computed(() => {
    const { trial } = selection
    if (trial === undefined) return -1
    return placeOf.value.get(trial) ?? (isOwn.value ? own.value!.standIn?.(trial) : undefined) ?? -1
  })

  /** Steps through other trials of a subject from now on, e.g. those a run held out; undefined goes back to all. */
  function set(trials: TrialRows | undefined) {
    own.value = trials
  }

  /** Selects the trial at a place of the axis, kept within it. */
  function go(place: number) {
    if (rows.value.length) selection.selectTrial(rows.value[Math.min(rows.value.length - 1, Math.max(0, place))])
  }

  const step = (by: number) => go(at.value < 0 ? (by > 0 ? 0 : rows.value.length - 1) : at.value + by)
  return { rows, label, at, set, go, step }
})
