import { MindEyeError } from '../base/errors.ts'
import { clipTokens } from '../models/clipVision.ts'
import { denoiserSizes } from '../models/loadDenoiser.ts'
import type { Pack } from '../models/pack.ts'
import { autoencoderKind, clipVisionKind, openNetwork } from '../models/pretrained.ts'
import { numbersOf } from '../nn/numbers.ts'
import type { StimulusImages } from '../subjects/subject.ts'
import { ClipEncoder } from './clipEncoder.ts'
import type { TrainingConfig } from './fields.ts'
import { needsPack } from './fields.ts'
import type { ImageEncoder } from './imageEncoder.ts'
import { toImageTensor } from './images.ts'
import { LatentEncoder } from './latentEncoder.ts'
import { latentSide, lowLevelSizes, UPSAMPLING } from './lowLevelConfig.ts'
import { StudyEncoder } from './studyEncoder.ts'
import { pictureBatch } from './targets.ts'

/** Paths of the pretrained networks that a run uses, from its pack. */
export interface Networks {
  /** CLIP's image tower. */
  clip?: string
  /** The autoencoder whose latents the low-level decoder predicts. */
  lowLevelVae?: string
  /** The ConvNeXt whose tokens the low-level contrastive loss compares with. */
  teacher?: string
}

/** The networks of a pack that a training with these options uses; throws a state error that names what is missing. */
export function networksOf(config: TrainingConfig, pack: Pack | undefined): Networks {
  const isLowLevel = config.method === 'low-level'
  if (!needsPack(config)) return {}
  if (!pack)
    throw new MindEyeError({
      kind: 'state',
      where: '--pack',
      expected: isLowLevel
        ? 'a pack with an autoencoder, whose latents are the targets'
        : 'a pack with CLIP’s image tower, whose embeddings are the targets',
      found: 'none',
      fix: 'Register one with `mindeye pack add FOLDER` (docs/packs.md says what it holds) and give its id.',
    })
  if (isLowLevel) {
    const lowLevelVae = pack.pathOf('low_level_vae')
    checkAutoencoder(config, lowLevelVae)
    return { lowLevelVae, ...(config.contrast && { teacher: pack.pathOf('teacher') }) }
  }
  const clip = pack.pathOf('image_encoder')
  checkTower(config, clip)
  return { clip }
}

const PICTURES_AT_ONCE = 32

/** The study's own encoder as saved in `file`, for pictures of the given kind; the run's pack has CLIP's. */
export async function openEncoder(
  config: TrainingConfig,
  networks: Networks,
  file: string,
  pictures: StimulusImages,
): Promise<ImageEncoder> {
  const pretrained = openPretrained(config, networks)
  if (pretrained) return pretrained
  const { side, channels } = await toImageTensor({ ...pictures, count: 0 }, config.encoderPixels)
  const encoder = new StudyEncoder(side, channels, config.width)
  encoder.load(file)
  return encoder
}

/** The pretrained encoder that a run's targets come from; undefined where the study's own gives them. */
export function openPretrained(
  config: TrainingConfig,
  { clip, lowLevelVae }: Networks,
): ClipEncoder | LatentEncoder | undefined {
  if (config.method === 'low-level' && lowLevelVae)
    return new LatentEncoder(lowLevelVae, latentSide(lowLevelSizes(config, 1)))
  if (config.targets === 'clip' && clip) return new ClipEncoder(clip, config.tokens)
  return undefined
}

/**
 * A low-level run's sizes as the pack wants them, where they were not `given`: the channels of its autoencoder's latents, and the side
 * of the map by the latents that its denoiser takes, if it has one.
 */
export function fitToPack(config: TrainingConfig, given: readonly string[], pack: Pack): TrainingConfig {
  if (config.method !== 'low-level') return config
  const { latentChannels } = autoencoderOf(pack.pathOf('low_level_vae'))
  const mapSide = pack.has('image_unet') ? denoiserSizes(pack.pathOf('image_unet')).latentSide / UPSAMPLING : undefined
  return {
    ...config,
    ...(!given.includes('latentChannels') && { latentChannels }),
    ...(!given.includes('mapSide') && mapSide !== undefined && { mapSide }),
  }
}

function autoencoderOf(path: string) {
  const network = openNetwork(autoencoderKind, path)
  network.close()
  return network.config
}

function checkAutoencoder(config: TrainingConfig, path: string): void {
  const { latentChannels } = autoencoderOf(path)
  if (latentChannels === config.latentChannels) return
  throw new MindEyeError({
    kind: 'input',
    where: '--pack',
    expected: `an autoencoder with ${config.latentChannels} channels of latents`,
    found: `${latentChannels} in ${path}`,
    fix: `Use --set latentChannels=${latentChannels}.`,
  })
}

/** Throws unless the tower gives the tokens that the options ask for: all that it has, or the class token. */
function checkTower({ tokens, width }: TrainingConfig, path: string): void {
  const tower = openNetwork(clipVisionKind, path)
  tower.close()
  const [all, wide] = [clipTokens(tower.config), tower.config.projection]
  if (width === wide && (tokens === 1 || tokens === all)) return
  throw new MindEyeError({
    kind: 'input',
    where: '--pack',
    expected: `an image tower with ${tokens} tokens of ${width}, as the options say`,
    found: `${all} tokens of ${wide} in ${path}`,
    fix: `Use --set width=${wide} with --set tokens=${all} or --set tokens=1.`,
  })
}

/** Embeddings (count, T·D) of pictures: CLIP crops them as it was trained to, the study's encoder sees them squared and small. */
export async function encodePictures(
  encoder: ImageEncoder,
  pictures: StimulusImages,
  { encoderPixels }: TrainingConfig,
): Promise<Float32Array> {
  if ('embed' in encoder) return numbersOf(() => encoder.embed(pictureBatch(pictures)))
  return encoder.encode(await toImageTensor(pictures, encoderPixels))
}

/** Embeddings of stimuli, (stimuli.length, T·D), read and encoded some at a time. */
export async function encodeStimuli(
  encoder: ImageEncoder,
  read: (stimuli: Int32Array) => StimulusImages,
  stimuli: Int32Array,
  config: TrainingConfig,
): Promise<Float32Array> {
  const size = encoder.tokens * encoder.width
  const embeddings = new Float32Array(stimuli.length * size)
  for (let at = 0; at < stimuli.length; at += PICTURES_AT_ONCE) {
    const some = read(stimuli.subarray(at, at + PICTURES_AT_ONCE))
    embeddings.set(await encodePictures(encoder, some, config), at * size)
  }
  return embeddings
}
