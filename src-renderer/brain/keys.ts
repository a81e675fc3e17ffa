/** Commands of the brain panel; its letters are free everywhere else. */
import { useCommands } from '../app/commands.ts'
import { VIEW_NAMES, VIEWS } from './scene/views.ts'
import { useBrain } from './store.ts'
import type { useScene } from './useScene.ts'

const GROUP = 'Brain'

export function useBrainKeys(
  view: Pick<ReturnType<typeof useScene>, 'mode' | 'goTo' | 'inflate' | 'flatten' | 'reset'>,
) {
  const store = useBrain()
  const isSurface = () => view.mode.value === 'surfaces'

  const commands = useCommands()
  commands.register([
    {
      id: 'brain.show',
      title: 'Brain',
      group: GROUP,
      keys: 'B',
      run: () => commands.all.find(({ id }) => id === 'panel.brain')?.run(),
    },
    ...VIEW_NAMES.map((name) => ({
      id: `brain.${name}`,
      title: `${VIEWS[name].title} view`,
      group: GROUP,
      keys: VIEWS[name].key,
      when: () => isSurface() || (view.mode.value === 'cubes' && VIEWS[name].open === 0),
      run: () => view.goTo(name),
    })),
    {
      id: 'brain.inflate',
      title: 'Inflate, and back to the folded surface',
      group: GROUP,
      keys: 'I',
      when: isSurface,
      run: view.inflate,
    },
    { id: 'brain.flat', title: 'Flat map, and back', group: GROUP, keys: 'P', when: isSurface, run: view.flatten },
    {
      id: 'brain.reset',
      title: 'Reset the view',
      group: GROUP,
      keys: 'R',
      when: () => view.mode.value !== undefined,
      run: view.reset,
    },
    {
      id: 'brain.left',
      title: 'Left hemisphere',
      group: GROUP,
      keys: 'L',
      when: isSurface,
      run: () => store.toggleHemisphere('left'),
    },
    {
      id: 'brain.right',
      title: 'Right hemisphere',
      group: GROUP,
      keys: 'Shift+L',
      when: isSurface,
      run: () => store.toggleHemisphere('right'),
    },
    { id: 'brain.names', title: 'Names of outlined ROIs', group: GROUP, run: () => (store.labels = !store.labels) },
  ])
}
