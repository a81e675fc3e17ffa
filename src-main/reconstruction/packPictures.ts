import { MindEyeError } from '../base/errors.ts'
import type { DenoiserSizes } from '../diffusion/denoiser.ts'
import { denoiserSizes } from '../models/loadDenoiser.ts'
import type { Pack } from '../models/pack.ts'
import { openPack } from '../models/pack.ts'
import { autoencoderKind, openNetwork } from '../models/pretrained.ts'
import type { HeldOutJob } from '../retrieval/repeats.ts'
import { openSubject } from '../subjects/subject.ts'
import { startIndex } from './denoise.ts'
import { latentShape } from './lowLevel.ts'
import type { Noise, NoiseShape } from './noise.ts'
import { recordedNoise, seededNoise } from './noise.ts'
import type { Pattern } from './patterns.ts'
import { choosePatterns, foldHoldingOut, heldOutPatterns, runFolds, voxelReader } from './patterns.ts'
import type { OpenedPictures, PictureJob } from './pictures.ts'
import type { Input, Sources } from './pipeline.ts'
import { makePictures, stepsPerPattern } from './pipeline.ts'

/** Opens what a job needs. Throws for whatever does not fit, before anything is computed. */
export async function openPackPictures(job: PictureJob & { pack: string }): Promise<OpenedPictures> {
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
      steps: stepsPerPattern(job),
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
