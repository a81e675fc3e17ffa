import { MindEyeError } from '../base/errors.ts'
import type { ConvNeXt } from '../models/convNeXt.ts'
import { loadConvNeXt } from '../models/convNeXt.ts'
import { LowLevelNetwork } from '../models/lowLevelNetwork.ts'
import { Parameters } from '../nn/parameters.ts'
import type { RunOptions } from '../base/progress.ts'
import type { StimulusImages, Subject } from '../subjects/subject.ts'
import { lowLevelPixels } from './augmentation.ts'
import { BatchSnapshots } from './batchSnapshot.ts'
import { ClipEncoder } from './clipEncoder.ts'
import type { Networks } from './encoder.ts'
import type { Items, VoxelScaling } from './examples.ts'
import { scaledVoxels } from './examples.ts'
import { createHighLevel, createPixelNetwork } from './highLevel.ts'
import type { TrainingConfig } from './fields.ts'
import { decodesPictures } from './fields.ts'
import type { ImageEncoder } from './imageEncoder.ts'
import { toImageTensor } from './images.ts'
import type { LatentEncoder } from './latentEncoder.ts'
import type { LowLevelLosses } from './lowLevel.ts'
import { contrastTokens, LowLevelTrainer } from './lowLevel.ts'
import { lowLevelOptions, lowLevelSizes } from './lowLevelConfig.ts'
import type { LowLevelStepPlan } from './lowLevelPlan.ts'
import { LowLevelPlan } from './lowLevelPlan.ts'
import type { StepPlan } from './plan.ts'
import { TrainingPlan } from './plan.ts'
import type { Targets } from './targets.ts'
import { augmentedTargets, fixedTargets, pictureBatch, pictureTargets } from './targets.ts'
import type { TrainedFold } from './trainNetwork.ts'
import { trainNetwork } from './trainNetwork.ts'
import type { StepLosses } from './trainer.ts'
import { Trainer } from './trainer.ts'

/** The examples of a fold as networks see them: z-scored voxels (items, repeats, V) and the images of items. */
export interface Examples {
  items: number
  repeats: number
  voxelCount: number
  voxels: Float32Array
  /** Index of each example's stimulus, (items). */
  stimuli: Int32Array
  readImages(items: Int32Array): StimulusImages
  /** Small square pictures (items, side² · channels) in [0, 1], where the run decodes pictures. */
  pictures?: Float32Array
}

export async function readExamples(
  subject: Subject,
  scaling: VoxelScaling,
  items: Items,
  config: TrainingConfig,
): Promise<Examples> {
  const readImages = (chosen: Int32Array) => subject.readImages(chosen.map((item) => items.stimulus[item]))
  return {
    items: items.count,
    repeats: items.repeats,
    voxelCount: subject.manifest.voxelCount,
    voxels: scaledVoxels(subject, scaling, items.trial),
    stimuli: items.stimulus,
    readImages,
    ...(decodesPictures(config) && { pictures: await squaredPictures(subject, items.stimulus, config) }),
  }
}

/** Pictures of stimuli as the study autoencoder sees them, (stimuli.length, side² · channels) in [0, 1]. */
export async function squaredPictures(
  subject: Subject,
  stimuli: Int32Array,
  { encoderPixels }: TrainingConfig,
): Promise<Float32Array> {
  return (await toImageTensor(subject.readImages(stimuli), encoderPixels)).data
}

/** A high-level decoder with what trains it; its parameters have no values yet. */
export function highLevelTraining(
  { config, random }: Pick<TrainedFold, 'config' | 'random'>,
  examples: Examples,
  targets: Targets,
) {
  const { items, repeats, voxelCount, pictures } = examples
  const parameters = new Parameters()
  const model = createHighLevel(parameters, config, voxelCount)
  const pixels = pictures ? pictures.length / items : 0
  if (pixels) model.pixels = createPixelNetwork(parameters, config, voxelCount, pixels)
  const plan = new TrainingPlan(config, items, repeats, random.split('plan'))
  const trainer = new Trainer(model, parameters, plan, config, random)
  const data = { ...examples, targets, pictures: pictures && fixedTargets(pictures, pixels) }
  return { parameters, model, plan, trainer, data }
}

/** Trains a fold's high-level decoder on its encoder's embeddings; a study's own encoder has given all of them already. */
export async function trainHighLevel(
  fold: TrainedFold,
  examples: Examples,
  encoder: ImageEncoder,
  embeddings: () => Promise<Float32Array>,
  options: RunOptions,
): Promise<Parameters> {
  const { config, random } = fold
  const targets = await targetsOf()
  async function targetsOf(): Promise<Targets> {
    if (encoder instanceof ClipEncoder && config.augment)
      return augmentedTargets(encoder, examples.readImages, random.split('augmentation'))
    if ('embed' in encoder) return pictureTargets(encoder, examples.readImages)
    return fixedTargets(await embeddings(), encoder.tokens * encoder.width)
  }
  const { parameters, plan, trainer, data } = highLevelTraining(fold, examples, targets)
  const snapshots = new BatchSnapshots(fold.runFolder, { fold: fold.index, stimuli: examples.stimuli })
  await trainNetwork<StepLosses & StepPlan>(
    fold,
    parameters,
    {
      trainer,
      plan,
      run: (each) => trainer.run(data, each, snapshots),
      termsOf: ({ nce, mse, prior, pixels, temperature }) => ({ nce, mse, prior, pixels, temperature }),
    },
    options,
  )
  return parameters
}

/** Trains a fold's low-level decoder on its encoder's latents, with the contrast to the teacher's tokens if it is asked for. */
export async function trainLowLevel(
  fold: TrainedFold,
  examples: Examples,
  encoder: LatentEncoder,
  networks: Networks,
  options: RunOptions,
): Promise<Parameters> {
  const { config, random } = fold
  const parameters = new Parameters()
  const model = new LowLevelNetwork(parameters, lowLevelSizes(config, examples.voxelCount))
  const choices = lowLevelOptions(config, encoder.scalingFactor)
  const plan = new LowLevelPlan(choices, examples.items, examples.repeats, random.split('plan'))
  const trainer = new LowLevelTrainer(model, parameters, plan, choices, random)
  const teacher: ConvNeXt | undefined = networks.teacher === undefined ? undefined : loadConvNeXt(networks.teacher)
  if (teacher) checkTeacher(teacher, config, encoder.side)
  const pictures = (items: Int32Array) => lowLevelPixels(pictureBatch(examples.readImages(items)), encoder.side)
  const data = {
    ...examples,
    latents: pictureTargets(encoder, examples.readImages),
    contrast: teacher && contrastTokens((images) => teacher.tokens(images), pictures, random.split('augmentation')),
  }
  const snapshots =
    teacher &&
    new BatchSnapshots(fold.runFolder, {
      fold: fold.index,
      stimuli: examples.stimuli,
      temperature: choices.contrastTemperature,
      places: config.mapSide ** 2,
    })
  try {
    await trainNetwork<LowLevelLosses & LowLevelStepPlan>(
      fold,
      parameters,
      {
        trainer,
        plan,
        run: (each) => trainer.run(data, each, snapshots),
        termsOf: ({ l1, contrast }) => ({ l1, contrast }),
      },
      options,
    )
  } finally {
    teacher?.dispose()
  }
  return parameters
}

/** Throws unless the teacher's tokens are those that the network's head gives: as wide, and one per place of the map. */
function checkTeacher(teacher: ConvNeXt, { features, mapSide }: TrainingConfig, side: number): void {
  const [places, width] = teacher.tokensOf(side)
  if (width === features && places === mapSide ** 2) return
  teacher.dispose()
  throw new MindEyeError({
    kind: 'input',
    where: 'teacher',
    expected: `${mapSide ** 2} tokens of ${features} for a picture of ${side} x ${side}`,
    found: `${places} of ${width}`,
    fix: `Use --set features=${width}, another autoencoder or teacher, or --set contrast=false.`,
  })
}
