import { onScopeDispose, watch } from 'vue'
import { useSelection } from '../shared/selection.ts'
import { useTrialAxis } from '../shared/trialAxis.ts'
import { useEvaluation } from './store.ts'

/** What holds while the place is open: a run is selected, and J, K and the scrubber step through the trials of the row in focus. */
export function useEvaluateSession(): void {
  const evaluation = useEvaluation()
  const selection = useSelection()
  const axis = useTrialAxis()

  watch(
    () => [selection.run, evaluation.first?.id] as const,
    ([run]) => {
      if (run === undefined && evaluation.first) selection.selectRun(evaluation.first.id, evaluation.first.subject)
    },
    { immediate: true },
  )
  watch(
    () => [evaluation.valuesOf(evaluation.focused), evaluation.subjectOf(evaluation.focused)] as const,
    ([values, subject]) => {
      if (!values || subject === undefined) return axis.set(undefined)
      axis.set({ subject, rows: values.trial, label: 'reconstructed trials' })
      if (selection.trial === undefined) selection.selectTrial(values.trial[0])
    },
    { immediate: true },
  )
  onScopeDispose(() => axis.set(undefined))
}
