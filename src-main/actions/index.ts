import type { Action } from './action.ts'
import { doctor } from './doctor.ts'
import { runs } from './runs.ts'

/** Everything a researcher can do, in the order of the help page. The CLI and the API are derived from this list. */
export const actions: readonly Action[] = [doctor, runs]
