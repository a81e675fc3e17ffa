import type { State } from '../../src-main/workspace/index.ts'

/** States of runs that may go on from their last checkpoint. */
export const isResumable = (state: State): boolean => ['failed', 'cancelled', 'interrupted'].includes(state)
