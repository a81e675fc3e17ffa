import { rmSync } from 'node:fs'
import { MindEyeError } from '../base/errors.ts'
import { writeFileAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import type { DenoiserSizes } from '../diffusion/denoiser.ts'
import { denoiserSizes } from '../models/loadDenoiser.ts'
import type { Pack } from '../models/pack.ts'
import { openPack } from '../models/pack.ts'
import { autoencoderKind, openNetwork } from '../models/pretrained.ts'
import type { HeldOutJob } from '../retrieval/repeats.ts'
import type { Subject } from '../subjects/subject.ts'
import { openSubject } from '../subjects/subject.ts'
import { startIndex } from './denoise.ts'
import { latentShape } from './lowLevel.ts'
import type { Noise, NoiseShape } from './noise.ts'
import { recordedNoise, seededNoise } from './noise.ts'
import type { Pattern } from './patterns.ts'
import { choosePatterns, foldHoldingOut, heldOutPatterns, runFolds, voxelReader } from './patterns.ts'
import type { Input, Made, PictureOptions, Sources, Watch } from './pipeline.ts'
import { makePictures, stepsPerPattern } from './pipeline.ts'
import type { SetRecord, SetSettings } from './sets.ts'
import { openSet, toPng, watchPath, writeTrial } from './sets.ts'

/** Pictures of a run's held-out patterns by the networks of a pack. */
export interface PictureJob extends PictureOptions {
  /** Whose patterns they are: the high-level run, or the low-level one where nothing else is asked for. */
  run: HeldOutJob
  /** The low-level run, with the path of the autoencoder whose latents it was trained on. */
  low?: HeldOutJob & { autoencoder: string }
  /** Folder of the pack. */
  pack: string
  seed: number
  /** Recorded noise in place of the seed's. */
  noise?: string
  /** Only these trials. */
  trials?: number[]
  /** Areas whose voxels are put to their mean. */
  without?: string[]
}

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
  const opened = await openPictures(job)
  try {
    const set = openSet(job.run.runFolder, job.settings)
    const missing = opened.patterns.filter(({ trial }) => !set.trials.includes(trial))
    const { watch, total } = progressOf(job, missing.length, options)
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

const write = (set: SetRecord, { stimuli }: Subject, { trial, stimulus, fold }: Pattern, made: Made, seconds: number) =>
  writeTrial(set, { trial, stimulus: stimuli.ids[stimulus], fold, seconds, ...made })

/** Counts the steps of all patterns; an abort is noticed at every one. */
function progressOf(job: ReconstructionJob, patterns: number, { signal, progress }: RunOptions) {
  const total = patterns * stepsPerPattern(job)
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

/** A job's networks and patterns, checked against each other; nothing but headers is read of the networks. */
export interface OpenedPictures {
  subject: Subject
  patterns: Pattern[]
  /** The fold of the low-level run that holds a pattern out. */
  lowFoldOf(pattern: Pattern): number
  /** Pictures of patterns of one fold of each run. */
  make(patterns: readonly Pattern[], watch: Watch): Promise<Made[]>
  close(): void
}

/** Opens what a job needs. Throws for whatever does not fit, before anything is computed. */
export async function openPictures(job: PictureJob): Promise<OpenedPictures> {
  const { run, low, without } = job
  const subject = await openSubject(run.subjectFolder)
  try {
    const pack = openPack(job.pack)
    const patterns = choosePatterns(heldOutPatterns(run, subject), job.trials)
    const lowFolds = low && runFolds(low, subject)
    const lowFolder = low?.runFolder ?? ''
    const lowFoldOf = (pattern: Pattern) =>
      lowFolds ? foldHoldingOut(lowFolds, pattern, lowFolder.split(/[\\/]/).at(-1)!) : 0
    patterns.forEach(lowFoldOf)
    const { diffusion, close } = openDiffusion(job, pack)
    const sources: Sources = {
      pack,
      diffusion,
      low: low && { ...low, scalingFactor: autoencoderOf(low.autoencoder).scalingFactor },
    }
    const readHigh = diffusion && voxelReader(run, subject, run.subjectFolder, without)
    const readLow = low && voxelReader(low, subject, low.subjectFolder, without)
    return {
      subject,
      patterns,
      lowFoldOf,
      make(chunk, watch) {
        const lowFold = lowFoldOf(chunk[0])
        const inputs = chunk.map((pattern): Input => ({
          trial: pattern.trial,
          high: readHigh?.(pattern),
          low: readLow?.({ ...pattern, fold: lowFold }),
        }))
        return makePictures(sources, { highFold: chunk[0].fold, lowFold, inputs }, job, watch)
      },
      close() {
        close()
        subject.close()
      },
    }
  } catch (error) {
    subject.close()
    throw error
  }
}

/** The denoiser's side of a job, where a kind needs it. */
function openDiffusion(job: PictureJob, pack: Pack): { diffusion?: Sources['diffusion']; close(): void } {
  if (job.kinds.every((kind) => kind === 'low')) return { close() {} }
  const { run, low, candidates } = job
  const denoiser = denoiserSizes(pack.pathOf('image_unet'))
  pack.pathOf('scheduler')
  pack.pathOf('image_encoder')
  checkWidth(run, denoiser)
  const isCombined = job.kinds.includes('combined')
  if (isCombined) {
    startIndex(job.steps, job.strength)
    checkLatents(latentShape(low!), denoiser)
  }
  const { tokens, width } = run.config
  const shape: NoiseShape = {
    ...{ candidates, tokens, width },
    ...{ side: denoiser.latentSide, channels: denoiser.latentChannels },
  }
  const recorded = job.noise === undefined ? undefined : recordedNoise(job.noise, shape, isCombined)
  const noise: Noise = recorded ?? seededNoise(job.seed, shape)
  return { diffusion: { run, denoiser, noise }, close: () => recorded?.close() }
}

function checkWidth({ config }: HeldOutJob, { width, tokens }: DenoiserSizes): void {
  if (config.width === width && config.tokens > 1) return
  throw new MindEyeError({
    kind: 'input',
    where: '--run',
    expected: `a run that decodes all tokens of the image encoder, ${width} wide, e.g. ${tokens}`,
    found: `${config.tokens} ${config.tokens === 1 ? 'token' : 'tokens'} of ${config.width}`,
    fix: 'Train it on the embeddings of this pack, or take the pack that it was trained with.',
  })
}

function checkLatents([side, , channels]: readonly number[], denoiser: DenoiserSizes): void {
  const { latentSide, latentChannels } = denoiser
  if (side === latentSide && channels === latentChannels) return
  throw new MindEyeError({
    kind: 'input',
    where: '--low-run',
    expected: `latents of ${latentSide} x ${latentSide} x ${latentChannels}, as the pack’s denoiser takes them`,
    found: `${side} x ${side} x ${channels}`,
    fix: 'Train the low-level run with this pack.',
  })
}

/** What an autoencoder's files say. */
function autoencoderOf(path: string) {
  const network = openNetwork(autoencoderKind, path)
  network.close()
  return network.config
}
