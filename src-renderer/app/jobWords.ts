import type { State } from '../../src-main/workspace/index.ts'
import type { ChipKind } from '../shared/ui/UiChip.vue'

/** How the states of jobs and runs look everywhere. */
export const stateChips: Record<State, ChipKind> = {
  queued: 'queued',
  running: 'running',
  done: 'ok',
  failed: 'error',
  cancelled: 'stopped',
  interrupted: 'warn',
}
