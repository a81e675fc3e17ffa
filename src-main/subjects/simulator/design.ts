import type { Random } from '../../nn/random.ts'
import { design } from './constants.ts'

/** Which image is shown when. Trials are numbered through all sessions; the order is the same for every subject, as in NSD. */
export interface Design {
  /** Columns 0..shared-1 are the shared test images, the others the subject's own. */
  shared: number
  own: number
  trialCount: number
  sessionCount: number
  /** Column of the image shown in each trial. */
  column: Int32Array
  /** 0-based session, run within the session, and trial within the run. */
  session: Int32Array
  run: Int32Array
  trialInRun: Int32Array
}

/** Shared test images that come with this many own images. */
function sharedCount(own: number): number {
  return Math.min(design.maxShared, Math.max(design.minShared, Math.round(own / design.ownPerShared)))
}

/** Shows every image three times in random order, cut into sessions of nearly equal length and these into runs. */
export function makeDesign(own: number, random: Random): Design {
  const shared = sharedCount(own)
  const trialCount = design.repeats * (shared + own)
  const wanted = Math.round(trialCount / design.sessionTrials)
  const sessionCount = Math.min(design.maxSessions, Math.max(design.minSessions, wanted))
  const made: Design = {
    shared,
    own,
    trialCount,
    sessionCount,
    column: random.permutation(trialCount).map((place) => place % (shared + own)),
    session: new Int32Array(trialCount),
    run: new Int32Array(trialCount),
    trialInRun: new Int32Array(trialCount),
  }
  for (let s = 0; s < sessionCount; s++) {
    const { start, stop } = sessionRange(made, s)
    for (let r = 0; r < design.runs; r++) {
      const first = start + Math.floor((r * (stop - start)) / design.runs)
      const end = start + Math.floor(((r + 1) * (stop - start)) / design.runs)
      for (let t = first; t < end; t++) {
        made.session[t] = s
        made.run[t] = r
        made.trialInRun[t] = t - first
      }
    }
  }
  return made
}

/** Trials `[start, stop)` of a session. */
export function sessionRange({ trialCount, sessionCount }: Design, session: number): { start: number; stop: number } {
  const edge = (s: number): number => Math.floor((s * trialCount) / sessionCount)
  return { start: edge(session), stop: edge(session + 1) }
}

/** Trials of each column, in time order. */
export function trialsByColumn({ column, shared, own }: Design): number[][] {
  const trials: number[][] = Array.from({ length: shared + own }, () => [])
  column.forEach((c, t) => trials[c].push(t))
  return trials
}
