/** Commands of the brain panel. Its letters count while the panel has the focus or the pointer. */
import { onScopeDispose } from 'vue'
import { useCommands } from '../app/commands.ts'
import { VIEW_NAMES, VIEWS } from './scene/views.ts'
import { useBrain } from './store.ts'
import type { useScene } from './useScene.ts'

const GROUP = 'Brain'

export function useBrainKeys(
  view: Pick<ReturnType<typeof useScene>, 'mode' | 'goTo' | 'inflate' | 'flatten' | 'reset'>,
) {
  const store = useBrain()
  let isUnder = false
  const follow = (event: PointerEvent) =>
    (isUnder = event.target instanceof Element && event.target.closest('.brain') !== null)
  window.addEventListener('pointerover', follow, { passive: true })
  onScopeDispose(() => window.removeEventListener('pointerover', follow))
  const when = () => view.mode.value === 'surfaces' && (isUnder || document.activeElement?.closest('.brain') !== null)

  useCommands().register([
    ...VIEW_NAMES.map((name) => ({
      id: `brain.${name}`,
      title: `${VIEWS[name].title} view`,
      group: GROUP,
      keys: VIEWS[name].key,
      when,
      run: () => view.goTo(name),
    })),
    {
      id: 'brain.inflate',
      title: 'Inflate, and back to the folded surface',
      group: GROUP,
      keys: 'I',
      when,
      run: view.inflate,
    },
    { id: 'brain.flat', title: 'Flat map, and back', group: GROUP, keys: 'P', when, run: view.flatten },
    {
      id: 'brain.reset',
      title: 'Reset the view',
      group: GROUP,
      keys: 'R',
      when: () => view.mode.value !== undefined && (isUnder || document.activeElement?.closest('.brain') !== null),
      run: view.reset,
    },
    {
      id: 'brain.left',
      title: 'Left hemisphere',
      group: GROUP,
      keys: 'L',
      when,
      run: () => store.toggleHemisphere('left'),
    },
    {
      id: 'brain.right',
      title: 'Right hemisphere',
      group: GROUP,
      keys: 'Shift+L',
      when,
      run: () => store.toggleHemisphere('right'),
    },
    { id: 'brain.names', title: 'Names of outlined ROIs', group: GROUP, run: () => (store.labels = !store.labels) },
  ])
}
