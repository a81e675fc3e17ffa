import * as tf from '@tensorflow/tfjs-core'
import type { DenoiserSizes } from '../diffusion/denoiser.ts'
import { NoiseTable } from '../diffusion/tables.ts'
import type { NdArray } from '../formats/array.ts'
import type { AutoencoderKl } from '../models/autoencoderKl.ts'
import { loadDenoiser } from '../models/loadDenoiser.ts'
import type { Pack } from '../models/pack.ts'
import { readSchedule } from '../models/packParts.ts'
import { loadAutoencoderKl } from '../models/pretrained.ts'
import type { RunPlace } from '../retrieval/repeats.ts'
import { ClipEncoder } from '../training/clipEncoder.ts'
import { choose } from './choose.ts'
import type { DecodedBrain } from './decodeBrain.ts'
import { decodeBrain } from './decodeBrain.ts'
import type { Denoising } from './denoise.ts'
import { denoise, stepsTaken } from './denoise.ts'
import type { LowLevelPicture, LowLevelRun } from './lowLevel.ts'
import { latentShape, lowLevelLatents, lowLevelPictures } from './lowLevel.ts'
import type { Noise } from './noise.ts'
import { decodeLatents } from './pixels.ts'
import type { Choice, FloatPicture, Kind } from './sets.ts'

/*
 * From voxels to pictures by the networks of a pack (MindEye §3): the stages one after another over a few patterns, each stage's networks
 * loaded when it begins and freed when it ends, because the published ones fill a machine together. What is computed for a pattern does not
 * depend on the others beside it.
 */

/** Everything on the way that changes a pixel, beside networks and noise. */
export interface PictureOptions extends Denoising {
  kinds: readonly Kind[]
  /** Share of the way that a combined picture is denoised from the low-level one. */
  strength: number
  /** K, among which one is chosen. */
  candidates: number
}

/** The networks and the noise that pictures are made of. */
export interface Sources {
  pack: Pack
  /** For kind low and combined. */
  low?: LowLevelRun
  /** For kinds high and combined. */
  diffusion?: { run: Pick<RunPlace, 'runFolder' | 'config'>; denoiser: DenoiserSizes; noise: Noise }
}

/** A brain pattern as the decoders take it: z-scored voxels (V) as each run's fold scales them. */
export interface Input {
  trial: number
  high?: Float32Array
  low?: Float32Array
}

/** Patterns of one fold of each run. */
export interface Chunk {
  highFold: number
  lowFold: number
  inputs: readonly Input[]
}

/** A kind's candidates with the choice among them. */
export type Candidates = Choice & { candidates: FloatPicture[] }

export interface Made {
  kinds: Partial<Record<Kind, Candidates>>
  /** What the stages gave, by name. */
  stages: Record<string, NdArray>
}

/** Looks on while pictures are made. */
export interface Watch {
  /** Another step is done, of `stepsPerPattern`. */
  step(message: string): void
  /** The first candidate as the denoiser sees it after a step; costs a decoding each, so only where somebody looks. */
  picture?(picture: FloatPicture): Promise<void>
}

type Diffused = 'high' | 'combined'
const diffused = ({ kinds }: PictureOptions): Diffused[] => kinds.filter((kind): kind is Diffused => kind !== 'low')

/** Steps of the sampler that each kind takes; `start` is where there is a low-level one. */
const stepsOf = (options: PictureOptions, kind: Diffused): number =>
  stepsTaken(options, kind === 'combined' ? options.strength : undefined)

/** What progress counts for one pattern: one for each decoder, and the denoiser's steps. */
export const stepsPerPattern = (options: PictureOptions): number =>
  diffused(options).reduce(
    (sum, kind) => sum + stepsOf(options, kind),
    Number(diffused(options).length > 0) + Number(options.kinds.some((kind) => kind !== 'high')),
  )

/** Makes the pictures of a chunk's patterns, in their order. */
export async function makePictures(
  sources: Sources,
  chunk: Chunk,
  options: PictureOptions,
  watch: Watch,
): Promise<Made[]> {
  const { pack, diffusion } = sources
  const brains = diffusion && decodeBrains(diffusion, chunk, options, watch)
  const lows = sources.low && lowLevel(sources, sources.low, chunk, options, watch)
  const latents = brains && (await denoiseAll(sources, chunk, { brains, lows }, options, watch))
  const pictures =
    latents && withAutoencoder(pack, (model) => latents.map((own) => decodeKinds(model, own, sources, options)))
  const kinds = chunk.inputs.map((_, i): PicturesByKind => ({
    ...(options.kinds.includes('low') && { low: [lows![i].picture] }),
    ...pictures?.[i],
  }))
  const chosen = brains ? chooseAll(pack, diffusion.run.config.tokens, kinds, brains) : kinds.map(unscored)
  return chosen.map((own, i) => ({
    kinds: own,
    stages: stagesOf(sources, options, { brain: brains?.[i], low: lows?.[i], latents: latents?.[i] }),
  }))
}

function decodeBrains(
  { run, noise }: NonNullable<Sources['diffusion']>,
  { inputs, highFold }: Chunk,
  { candidates }: PictureOptions,
  watch: Watch,
): DecodedBrain[] {
  const voxels = inputs.map(({ high }) => high!)
  return decodeBrain(run, highFold, voxels, { candidates, noise }, (i) =>
    watch.step(`trial ${inputs[i].trial}: embedding sampled`),
  )
}

function lowLevel(
  { pack, diffusion }: Sources,
  run: LowLevelRun,
  { inputs, lowFold }: Chunk,
  { kinds }: PictureOptions,
  watch: Watch,
): LowLevelPicture[] {
  const voxels = inputs.map(({ low }) => low!)
  const latents = lowLevelLatents(run, lowFold, voxels)
  const starting = kinds.includes('combined') && { ...diffusion!.denoiser, noise: diffusion!.noise }
  const pictures = withAutoencoder(pack, (model) => lowLevelPictures(model, run, latents, starting || undefined))
  for (const { trial } of inputs) watch.step(`trial ${trial}: low-level picture`)
  return pictures
}

type LatentsByKind = Partial<Record<Diffused, Float32Array>>
type PicturesByKind = Partial<Record<Kind, FloatPicture[]>>

/** Latents (K, h, w, L) of every pattern and kind. */
async function denoiseAll(
  { pack, diffusion }: Sources,
  { inputs }: Chunk,
  { brains, lows }: { brains: DecodedBrain[]; lows?: LowLevelPicture[] },
  options: PictureOptions,
  watch: Watch,
): Promise<LatentsByKind[]> {
  const { run, denoiser: sizes, noise } = diffusion!
  const { tokens, width } = run.config
  const { latentSide: side, latentChannels: channels } = sizes
  const table = new NoiseTable(readSchedule(pack.pathOf('scheduler')).betas)
  const denoiser = loadDenoiser(pack.pathOf('image_unet'))
  const viewer = watch.picture && loadAutoencoderKl(pack.pathOf('vae'))
  try {
    const all: LatentsByKind[] = []
    for (const [i, { trial }] of inputs.entries()) {
      const latents: LatentsByKind = {}
      for (const kind of diffused(options)) {
        const steps = stepsOf(options, kind)
        const embeddings = tf.tensor3d(brains[i].samples, [options.candidates, tokens, width])
        const start = kind === 'combined' ? tf.tensor4d(lows![i].start!, [1, side, side, channels]) : undefined
        const given = {
          embeddings,
          noise: noise.start(),
          start: start && { latent: start, strength: options.strength },
        }
        try {
          const x = await denoise(denoiser, table, given, options, async (step, clean) => {
            if (viewer) {
              const first = withTensor(clean(), (all) => tf.slice(all, 0, 1))
              const [picture] = withTensor(first, (latent) => decodeLatents(viewer.model, latent))
              await watch.picture!(picture)
            }
            watch.step(`trial ${trial}: ${kind}, step ${step} of ${steps}`)
          })
          latents[kind] = withTensor(x, () => x.dataSync<'float32'>().slice())
        } finally {
          tf.dispose([embeddings, given.noise, ...(start ? [start] : [])])
        }
      }
      all.push(latents)
    }
    return all
  } finally {
    denoiser.dispose()
    viewer?.parameters.dispose()
  }
}

const latentsShape = ({ diffusion }: Sources, { candidates }: PictureOptions): [number, number, number, number] => {
  const { latentSide, latentChannels } = diffusion!.denoiser
  return [candidates, latentSide, latentSide, latentChannels]
}

const decodeKinds = (
  autoencoder: AutoencoderKl,
  latents: LatentsByKind,
  sources: Sources,
  options: PictureOptions,
): PicturesByKind =>
  mapKinds(latents, (own) =>
    withTensor(tf.tensor4d(own, latentsShape(sources, options)), (x) => decodeLatents(autoencoder, x)),
  )

function chooseAll(
  pack: Pack,
  tokens: number,
  kinds: readonly PicturesByKind[],
  brains: readonly DecodedBrain[],
): Made['kinds'][] {
  const encoder = new ClipEncoder(pack.pathOf('image_encoder'), tokens)
  try {
    return kinds.map((own, i) =>
      mapKinds(own, (candidates) => ({ candidates, ...choose(encoder, candidates, brains[i].projected) })),
    )
  } finally {
    encoder.dispose()
  }
}

/** Low-level pictures alone: there is one, and nothing to compare it with. */
const unscored = (kinds: PicturesByKind): Made['kinds'] =>
  mapKinds(kinds, (candidates) => ({ candidates, chosen: 0, scores: [] }))

const mapKinds = <A, B>(of: Partial<Record<Kind, A>>, map: (value: A) => B): Partial<Record<Kind, B>> =>
  Object.fromEntries(Object.entries(of).map(([kind, value]) => [kind, map(value)]))

function stagesOf(
  sources: Sources,
  options: PictureOptions,
  { brain, low, latents }: { brain?: DecodedBrain; low?: LowLevelPicture; latents?: LatentsByKind },
): Made['stages'] {
  const { tokens = 0, width = 0 } = sources.diffusion?.run.config ?? {}
  const array = (shape: number[], data: Float32Array): NdArray => ({
    dtype: 'float32',
    shape,
    data: Float32Array.from(data),
  })
  return {
    ...(brain && {
      backbone: array([tokens, width], brain.backbone),
      projected: array([tokens, width], brain.projected),
      samples: array([options.candidates, tokens, width], brain.samples),
    }),
    ...(low && { low_latent: array(latentShape(sources.low!), low.latent) }),
    ...(low?.start && { start: array(latentsShape(sources, options).slice(1), low.start) }),
    ...Object.fromEntries(
      Object.entries(latents ?? {}).map(([kind, own]) => [
        `${kind}_latents`,
        array(latentsShape(sources, options), own),
      ]),
    ),
  }
}

/** What `use` makes of a tensor, which is then disposed. */
function withTensor<T extends tf.Tensor, R>(tensor: T, use: (tensor: T) => R): R {
  try {
    return use(tensor)
  } finally {
    tensor.dispose()
  }
}

function withAutoencoder<R>(pack: Pack, use: (model: AutoencoderKl) => R): R {
  const { model, parameters } = loadAutoencoderKl(pack.pathOf('vae'))
  try {
    return use(model)
  } finally {
    parameters.dispose()
  }
}
