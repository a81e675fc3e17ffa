import type { Action } from './action.ts'
import { doctor } from './doctor.ts'
import { importAction } from './import.ts'
import { inspect } from './inspect.ts'
import { evaluateAction } from './evaluate.ts'
import { runs } from './runs.ts'
import { trainAction } from './train.ts'
import { simulateAction } from './simulate.ts'

/** Everything a researcher can do, in the order of the help page. The CLI and the API are derived from this list. */
export const actions: readonly Action[] = [
  doctor,
  inspect,
  importAction,
  simulateAction,
  trainAction,
  evaluateAction,
  runs,
]
