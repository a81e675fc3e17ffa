import type { Action } from './action.ts'

/** Everything a researcher can do, in the order of the help page. The CLI and the API are derived from this list. */
export const actions: readonly Action[] = []
