import { rmSync } from 'node:fs'
import { writeFileAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import type { Subject } from '../subjects/subject.ts'
import { openPackPictures } from './packPictures.ts'
import type { Pattern } from './patterns.ts'
import type { OpenedPictures, PictureJob } from './pictures.ts'
import type { Made, Watch } from './pipeline.ts'
import type { SetRecord, SetSettings } from './sets.ts'
import { openSet, toPng, watchPath, writeTrial } from './sets.ts'
import { openStudyPictures } from './studyPictures.ts'

export interface ReconstructionJob extends PictureJob {
  /** What names the set. */
  settings: SetSettings
  /** Whether each step's picture is kept in `watchPath` while it is the last. */
  watch?: boolean
}

export interface Reconstructed {
  /** Id of the set. */
  set: string
  folder: string
  /** Trials that were asked for, and how many of them had not been there before. */
  trials: number[]
  made: number
}

/** Patterns that go through a stage before the next one's networks are loaded. */
const PATTERNS_AT_ONCE = 8

/** Makes the pictures that a set lacks, chunk by chunk, and writes each trial when it is whole. */
export async function reconstruct(job: ReconstructionJob, options: RunOptions): Promise<Reconstructed> {
  const opened = await open(job)
  try {
    const set = openSet(job.run.runFolder, job.settings)
    const missing = opened.patterns.filter(({ trial }) => !set.trials.includes(trial))
    const { watch, total } = progressOf(job, missing.length * opened.steps, options)
    for (const chunk of chunksOf(missing, opened.lowFoldOf)) {
      const started = performance.now()
      const made = await opened.make(chunk, watch)
      const seconds = (performance.now() - started) / 1000 / chunk.length
      for (const [i, pattern] of chunk.entries()) await write(set, opened.subject, pattern, made[i], seconds)
    }
    options.progress({ phase: PHASE, done: total, total })
    return { set: set.id, folder: set.folder, trials: opened.patterns.map(({ trial }) => trial), made: missing.length }
  } finally {
    opened.close()
    rmSync(watchPath(job.run.runFolder), { force: true })
  }
}

const PHASE = 'reconstruct'

const open = ({ pack, ...job }: ReconstructionJob): Promise<OpenedPictures> =>
  pack === undefined ? openStudyPictures(job) : openPackPictures({ ...job, pack })

const write = (set: SetRecord, { stimuli }: Subject, { trial, stimulus, fold }: Pattern, made: Made, seconds: number) =>
  writeTrial(set, { trial, stimulus: stimuli.ids[stimulus], fold, seconds, ...made })

/** Counts the steps of all patterns; an abort is noticed at every one. */
function progressOf(job: ReconstructionJob, total: number, { signal, progress }: RunOptions) {
  let done = 0
  const watch: Watch = {
    step(message) {
      signal.throwIfAborted()
      progress({ phase: PHASE, done: ++done, total, message })
    },
    ...(job.watch && {
      picture: async (picture) => writeFileAtomic(watchPath(job.run.runFolder), await toPng(picture)),
    }),
  }
  return { watch, total }
}

/** Patterns of the same folds, a few at a time. */
function chunksOf(patterns: readonly Pattern[], lowFoldOf: (pattern: Pattern) => number): Pattern[][] {
  const chunks: Pattern[][] = []
  for (const pattern of patterns) {
    const last = chunks.at(-1)
    const isAlike = last?.[0].fold === pattern.fold && lowFoldOf(last[0]) === lowFoldOf(pattern)
    if (last && isAlike && last.length < PATTERNS_AT_ONCE) last.push(pattern)
    else chunks.push([pattern])
  }
  return chunks
}
