import { computed, onScopeDispose, watch, watchEffect } from 'vue'
import { useCommands } from '../app/commands.ts'
import { useSelection } from '../shared/selection.ts'
import { useTrialAxis } from '../shared/trialAxis.ts'
import { useTrials } from '../subjects/subjectData.ts'
import { isLowLevel } from '../reconstruction/data.ts'
import { useRetrieval } from './store.ts'

/**
 * What holds while the place is open: J, K and the scrubber step through the held-out trials of the run, one of them is selected,
 * and its keys are listened to.
 */
export function useDecodeSession(): void {
  const retrieval = useRetrieval()
  const selection = useSelection()
  const axis = useTrialAxis()
  const trials = useTrials()

  watchEffect(() => {
    const table = trials.value
    retrieval.stimulusOf = (trial) => table?.stimulus[trial]
  })

  // Coming here without a run shows the newest that is finished; a low-level one is the other half of such a run.
  const newest = computed(() => {
    const own = retrieval.finished.filter(({ subject }) => subject === selection.subject)
    const list = own.length ? own : retrieval.finished
    return list.find((run) => !isLowLevel(run)) ?? list[0]
  })
  watch(
    () => [selection.run, newest.value?.id] as const,
    ([run]) => {
      if (run === undefined && newest.value) selection.selectRun(newest.value.id, newest.value.subject)
    },
    { immediate: true },
  )

  watch(
    () => retrieval.facts,
    (facts) => {
      if (!facts) return axis.set(undefined)
      const standIn = (trial: number) => retrieval.rowOf(facts, trial)
      axis.set({ subject: facts.subject, rows: facts.trial, label: 'held-out trials', standIn })
      if (selection.trial === undefined) selection.selectTrial(facts.trial[0])
    },
    { immediate: true },
  )
  onScopeDispose(() => axis.set(undefined))

  const commands = useCommands()
  const show = (panel: string) => () => commands.all.find(({ id }) => id === `panel.${panel}`)?.run()
  const group = 'Decode'
  commands.register([
    { id: 'decode.grid', title: 'Grid of all trials', group, keys: 'G', run: show('retrieve-grid') },
    { id: 'decode.map', title: 'Map of the embeddings', group, keys: 'E', run: show('embedding') },
    { id: 'decode.retrieve', title: 'What the trial finds', group, keys: 'T', run: show('retrieve') },
    { id: 'decode.reconstruct', title: 'What is reconstructed', group, keys: 'Y', run: show('reconstruct') },
    { id: 'decode.knock-out', title: 'Switch areas off', group, run: show('knock-out') },
    { id: 'decode.next', title: 'Next candidate', group, keys: ']', run: () => retrieval.stepCandidate(1) },
    { id: 'decode.previous', title: 'Candidate before', group, keys: '[', run: () => retrieval.stepCandidate(-1) },
    {
      id: 'decode.compare',
      title: 'Compare with the stimulus, while held',
      group,
      keys: 'Space',
      run: () => (retrieval.isComparing = true),
    },
    {
      id: 'decode.direction',
      title: 'Other direction of retrieval',
      group,
      keys: 'D',
      run: () => (retrieval.direction = retrieval.direction === 'image' ? 'brain' : 'image'),
    },
  ])
  const release = (event: KeyboardEvent) => {
    if (event.key === ' ') retrieval.isComparing = false
  }
  const forget = () => (retrieval.isComparing = false)
  window.addEventListener('keyup', release)
  window.addEventListener('blur', forget)
  onScopeDispose(() => {
    window.removeEventListener('keyup', release)
    window.removeEventListener('blur', forget)
  })
}
