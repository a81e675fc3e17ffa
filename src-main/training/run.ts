import { existsSync, mkdirSync } from 'node:fs'
import { distinct } from '../base/distinct.ts'
import { sweepTemporary } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import { Random } from '../nn/random.ts'
import { saveModel } from '../nn/stateFile.ts'
import { openSubject } from '../subjects/subject.ts'
import { saveRidge } from './decoder.ts'
import type { Networks } from './encoder.ts'
import { encodeStimuli, openEncoder, openPretrained } from './encoder.ts'
import { averagedVoxels, checkItems, fitScaling, groupItems, ridgeGroups, trainingFolds } from './examples.ts'
import type { TrainingConfig } from './fields.ts'
import { decodesPictures } from './fields.ts'
import { fitPictures, fitPixelRidge } from './fitPictures.ts'
import { foldFiles, pruneCheckpoints, saveScaling } from './foldFiles.ts'
import type { TestedFold } from './foldTest.ts'
import { foldFolder, writeTest } from './foldTest.ts'
import { isOfPixelNetwork } from './highLevel.ts'
import type { ImageEncoder } from './imageEncoder.ts'
import { toImageTensor } from './images.ts'
import { LatentEncoder } from './latentEncoder.ts'
import { decoderParameters } from './memory.ts'
import { readExamples, trainHighLevel, trainLowLevel } from './trainDecoders.ts'
import { saveModelConfig } from './published/modelConfig.ts'
import { fitRidge } from './ridge.ts'
import { StudyEncoder } from './studyEncoder.ts'
import type { TrainedFold } from './trainNetwork.ts'

export interface TrainingJob {
  /** `runs/RUN`, which exists. */
  runFolder: string
  subjectFolder: string
  config: TrainingConfig
  split: string
  seed: number
  /** Of the run's pack. */
  networks: Networks
}

export interface TrainingSummary {
  folds: number
  /** Trained numbers of one fold's decoder. */
  parameters: number
  /** What went wrong without stopping the run, e.g. a checkpoint that could not be read. */
  warnings: string[]
}

/**
 * Trains every fold of a split, from whatever a former process left: finished folds stay, the current one goes on from its
 * newest readable checkpoint to the same bits. Everything that is fitted is fitted on the fold's training trials.
 */
export async function runTraining(job: TrainingJob, options: RunOptions): Promise<TrainingSummary> {
  const { runFolder, subjectFolder, config, split, seed, networks } = job
  const subject = await openSubject(subjectFolder)
  const { voxelCount, image } = subject.manifest
  const warnings: string[] = []
  sweepTemporary(runFolder)
  try {
    const folds = trainingFolds(subject.trials, split, seed, config)
    const pool = distinct(folds.flatMap((fold) => [...fold.test].map((row) => subject.trials.stimulus[row])))
    for (const [index, fold] of folds.entries()) {
      const title = folds.length > 1 ? ` (${fold.name}, ${index + 1} of ${folds.length})` : ''
      const foldOptions: RunOptions = {
        signal: options.signal,
        progress: (report) => options.progress({ ...report, phase: `${report.phase}${title}` }),
      }
      const folder = foldFolder(runFolder, index)
      mkdirSync(folder, { recursive: true })
      sweepTemporary(folder)
      const random = new Random(seed).split('fold', index)
      const context = { subject, fold, index, pool, folder, runFolder, config, networks, random, warnings }
      if (!existsSync(foldFiles(folder).test)) await trainFold(context, foldOptions)
    }
    return { folds: folds.length, parameters: decoderParameters(config, voxelCount, image), warnings }
  } finally {
    subject.close()
  }
}

/** A fold with all that its training needs. */
export interface FoldContext extends TestedFold, TrainedFold {
  networks: Networks
}

async function trainFold(context: FoldContext, options: RunOptions): Promise<void> {
  const { subject, fold, folder, config, networks, random } = context
  const files = foldFiles(folder)
  const items = groupItems(subject.trials, fold.train, config.items)
  checkItems(items, fold.name)
  const scaling = fitScaling(subject, fold.train, config.zscore)
  saveScaling(files.scaling, scaling)

  const encoder = openPretrained(config, networks) ?? (await fitEncoder(context, distinct(items.stimulus), options))
  const readImages = (stimuli: Int32Array) => subject.readImages(stimuli)
  const { voxelCount } = subject.manifest
  const embeddings = () => encodeStimuli(encoder, readImages, items.stimulus, config)
  if (config.method === 'ridge') {
    options.progress({ phase: 'fit ridge regression', done: 0, total: 1 })
    const inputs = { count: items.count, width: voxelCount, data: averagedVoxels(subject, scaling, items) }
    const width = encoder.tokens * encoder.width
    const model = fitRidge(inputs, { count: items.count, width, data: await embeddings() }, ridgeGroups(items, random))
    saveRidge(files.model, model)
    if (decodesPictures(config)) saveRidge(files.ridge, await fitPixelRidge(context, scaling, items, random))
  } else if (!existsSync(files.model)) {
    const examples = await readExamples(subject, scaling, items, config)
    const trained =
      encoder instanceof LatentEncoder
        ? await trainLowLevel(context, examples, encoder, networks, options)
        : await trainHighLevel(context, examples, encoder, embeddings, options)
    const all = [...trained]
    if (examples.pictures) saveModel(files.low, all.filter(isOfPixelNetwork))
    saveModelConfig(folder, config, voxelCount)
    // Last, since it says that the training is over.
    saveModel(
      files.model,
      all.filter((parameter) => !isOfPixelNetwork(parameter)),
    )
    trained.dispose()
  }
  if (config.method === 'mindeye' && decodesPictures(config)) await fitPictures(context, scaling, options)
  await writeTest(context, scaling, encoder)
  encoder.dispose()
  pruneCheckpoints(folder, 0)
}

/** The encoder of the fold's own training images: as a former process saved it, else fitted from its beginning. */
async function fitEncoder(
  { subject, folder, config, networks, random }: FoldContext,
  stimuli: Int32Array,
  options: RunOptions,
): Promise<ImageEncoder> {
  const { encoder: path } = foldFiles(folder)
  const pictures = subject.readImages(stimuli)
  if (!existsSync(path)) {
    const images = await toImageTensor(pictures, config.encoderPixels)
    const fitted = new StudyEncoder(images.side, images.channels, config.width)
    await fitted.fit(images, config, random.split('encoder'), options)
    fitted.save(path)
    fitted.dispose()
  }
  // Always as saved: folding the decay into the weights rounds them, and a resumed run has only the file.
  return openEncoder(config, networks, path, pictures)
}
