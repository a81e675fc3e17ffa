import { useCommands } from '../app/commands.ts'
import { isResumable } from './resumable.ts'
import { useTraining } from './store.ts'

/** Brings the panel of new trainings to the front. */
export const showForm = (): void =>
  useCommands()
    .all.find(({ id }) => id === 'panel.config')
    ?.run()

/** What can be done in the Train place, for palette and keys, while the calling component lives. */
export function useTrainCommands(): void {
  const training = useTraining()
  const commands = useCommands()
  const group = 'Train'
  commands.register([
    {
      id: 'train.start',
      title: 'Start the training of the form',
      group,
      keys: 'Mod+Enter',
      when: () => training.canStart,
      run: () => void training.begin(),
    },
    {
      id: 'train.stop',
      title: 'Stop the selected training',
      group,
      when: () => training.run !== undefined && training.jobOf(training.run.id) !== undefined,
      run: () => void training.stop(training.run!.id),
    },
    {
      id: 'train.resume',
      title: 'Resume the selected training',
      group,
      when: () => training.run !== undefined && isResumable(training.run.state),
      run: () => void training.resume(training.run!.id),
    },
    {
      id: 'train.duplicate',
      title: 'Duplicate the selected training',
      group,
      when: () => training.run !== undefined,
      run: () => {
        training.fillFrom(training.run!)
        showForm()
      },
    },
    { id: 'train.log', title: 'Log scale of curves', group, run: () => (training.isLog = !training.isLog) },
  ])
  commands.registerSource({
    group: 'Options',
    items: () =>
      (training.catalogue?.options ?? []).map(({ name, meaning }) => ({
        title: name,
        hint: meaning,
        run: () => {
          training.optionQuery = name
          showForm()
        },
      })),
  })
}
