import { MindEyeError } from '../base/errors.ts'
import { clipTokens } from '../models/clipVision.ts'
import type { Pack } from '../models/pack.ts'
import { clipVisionKind, openNetwork } from '../models/pretrained.ts'
import { numbersOf } from '../nn/numbers.ts'
import type { StimulusImages } from '../subjects/subject.ts'
import { ClipEncoder } from './clipEncoder.ts'
import type { TrainingConfig } from './fields.ts'
import type { ImageEncoder } from './imageEncoder.ts'
import { toImageTensor } from './images.ts'
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
  if (config.targets !== 'clip') return {}
  if (pack) {
    const clip = pack.pathOf('image_encoder')
    checkTower(config, clip)
    return { clip }
  }
  throw new MindEyeError({
    kind: 'state',
    where: '--pack',
    expected: 'a pack with CLIP’s image tower, whose embeddings are the targets',
    found: 'none',
    fix: 'Register one with `mindeye pack add FOLDER` (docs/packs.md says what it holds) and give its id.',
  })
}

const PICTURES_AT_ONCE = 64

/** The study's own encoder as saved in `file`, for pictures of the given kind; the run's pack has CLIP's. */
export async function openEncoder(
  config: TrainingConfig,
  networks: Networks,
  file: string,
  pictures: StimulusImages,
): Promise<ImageEncoder> {
  if (config.targets === 'clip') return openClip(config, networks)
  const { side, channels } = await toImageTensor({ ...pictures, count: 0 }, config.encoderPixels)
  const encoder = new StudyEncoder(side, channels, config.width)
  encoder.load(file)
  return encoder
}

export function openClip({ tokens }: TrainingConfig, { clip }: Networks): ClipEncoder {
  if (!clip) throw new Error('a run with CLIP targets has its tower among its networks')
  return new ClipEncoder(clip, tokens)
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
  if (encoder instanceof ClipEncoder) return numbersOf(() => encoder.embed(pictureBatch(pictures)))
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
