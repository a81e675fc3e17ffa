import type { Action } from './action.ts'
import { checkpointAction } from './checkpoint.ts'
import { compareAction } from './compare.ts'
import { computeAction } from './compute.ts'
import { decodeAction } from './decode.ts'
import { demoAction } from './demo.ts'
import { demoSubjectAction } from './demoSubject.ts'
import { doctor } from './doctor.ts'
import { estimateAction } from './estimate.ts'
import { evaluateAction } from './evaluate.ts'
import { experimentAction } from './experiment.ts'
import { exportAction } from './export.ts'
import { galleryAction } from './gallery.ts'
import { gpuAction } from './gpu.ts'
import { importAction } from './import.ts'
import { inspect } from './inspect.ts'
import { knockOutAction } from './knockOut.ts'
import { packAction } from './pack.ts'
import { presetsAction } from './presets.ts'
import { reconstructAction } from './reconstruct.ts'
import { retrieveAction } from './retrieve.ts'
import { runs } from './runs.ts'
import { simulateAction } from './simulate.ts'
import { subjectsAction } from './subjects.ts'
import { surfacesAction } from './surfaces.ts'
import { trainAction } from './train.ts'

/** Everything a researcher can do, in the order of the help page. The CLI and the API are derived from this list. */
export const actions = [
  doctor,
  computeAction,
  gpuAction,
  demoAction,
  demoSubjectAction,
  simulateAction,
  inspect,
  importAction,
  subjectsAction,
  surfacesAction,
  presetsAction,
  estimateAction,
  trainAction,
  evaluateAction,
  compareAction,
  experimentAction,
  retrieveAction,
  reconstructAction,
  knockOutAction,
  decodeAction,
  exportAction,
  galleryAction,
  runs,
  checkpointAction,
  packAction,
] as const satisfies readonly Action[]

type Actions = (typeof actions)[number]

/** The actions by their names. */
export type ActionMap = { [N in Actions['name']]: Extract<Actions, { name: N }> }
