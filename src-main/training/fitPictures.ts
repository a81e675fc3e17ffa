import { existsSync, rmSync } from 'node:fs'
import { distinct } from '../base/distinct.ts'
import { writeFileAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import { encodeSafetensors } from '../formats/safetensors.ts'
import type { Random } from '../nn/random.ts'
import type { Blend } from './blend.ts'
import { fitBlend } from './blend.ts'
import { saveRidge } from './decoder.ts'
import type { Items, VoxelScaling } from './examples.ts'
import { averagedVoxels, checkItems, drawGroups, fitScaling, groupItems, ridgeGroups } from './examples.ts'
import { foldFiles, readArrays } from './foldFiles.ts'
import type { TestedFold } from './foldTest.ts'
import { toImageTensor } from './images.ts'
import type { PartPictures } from './pictureParts.ts'
import { partNames, predictParts } from './pictureParts.ts'
import type { RidgeModel } from './ridge.ts'
import { fitRidge, RIDGE_EXAMPLES } from './ridge.ts'
import { StudyEncoder } from './studyEncoder.ts'
import { fixedTargets } from './targets.ts'
import { highLevelTraining, readExamples, squaredPictures } from './trainDecoders.ts'

interface PictureFold extends TestedFold {
  random: Random
}

/**
 * Completes a fold whose networks are trained to a decoder of pictures: ridge regression to pixels, and how the parts are blended.
 * The blend is chosen on training trials only: each of a few groups of them is predicted by all parts, trained anew on the other groups.
 */
export async function fitPictures(fold: PictureFold, scaling: VoxelScaling, options: RunOptions): Promise<void> {
  const { subject, folder, config, random } = fold
  const files = foldFiles(folder)
  if (existsSync(files.blend)) return
  const items = groupItems(subject.trials, fold.fold.train, config.items)
  options.progress({ phase: 'fit ridge regression to pixels', done: 0, total: 1 })
  const ridge = await fitBlendRidge(fold, scaling, items, random)
  if (ridge) saveRidge(files.ridge, ridge)

  const groups = drawGroups(leftOutTogether(fold), config.blendFolds, random.split('blend'))
  const parts = [...distinct(groups)]
  for (const part of parts) {
    if (existsSync(files.heldOut(part))) continue
    const rows = (isHeld: boolean) => fold.fold.train.filter((_, i) => (groups[i] === part) === isHeld)
    const held = await predictHeldOut(fold, rows(false), rows(true), random.split('blend', part), {
      signal: options.signal,
      progress: (report) =>
        options.progress({ ...report, phase: `choose the blend (${part + 1} of ${parts.length}): ${report.phase}` }),
    })
    writeFileAtomic(files.heldOut(part), held)
  }
  writeFileAtomic(files.blend, `${JSON.stringify(blendOf(parts.map(files.heldOut)), null, 2)}\n`)
  for (const part of parts) rmSync(files.heldOut(part))
}

/**
 * What a held-out group takes along of each training trial, as the fold's own held-out trials do: pictures that training has never seen,
 * else scanner runs, else nothing but the trial. So the blend is right for what the run is tested on.
 */
function leftOutTogether({ subject: { trials }, fold: { train, test }, config }: PictureFold): Int32Array {
  for (const label of [trials.stimulus, trials.run]) {
    const own = train.map((row) => label[row])
    const known = new Set(own)
    const isNew = !test.some((row) => known.has(label[row]))
    if (isNew && known.size >= config.blendFolds) return own
  }
  // Repeats that are averaged stay together.
  return config.items === 'stimulus' ? train.map((row) => trials.stimulus[row]) : train
}

/** As part of a blend, ridge regression is left out where its fit would take minutes. */
const fitBlendRidge = async (...fit: Parameters<typeof fitPixelRidge>): Promise<RidgeModel | undefined> =>
  fit[2].count > RIDGE_EXAMPLES ? undefined : fitPixelRidge(...fit)

/** Ridge regression from the mean z-scored voxels of items to the pixels of what they show, `encoderPixels` a side at most. */
export async function fitPixelRidge(
  { subject, config }: Pick<PictureFold, 'subject' | 'config'>,
  scaling: VoxelScaling,
  items: Items,
  random: Random,
): Promise<RidgeModel> {
  const { count, stimulus } = items
  const voxels = averagedVoxels(subject, scaling, items)
  const pictures = await squaredPictures(subject, stimulus, config)
  return fitRidge(
    { count, width: voxels.length / count, data: voxels },
    { count, width: pictures.length / count, data: pictures },
    ridgeGroups(items, random),
  )
}

/** Trains all parts on some trials and predicts others: a safetensors file of their pictures beside the true ones. */
async function predictHeldOut(
  fold: PictureFold,
  kept: Int32Array,
  held: Int32Array,
  random: Random,
  options: RunOptions,
): Promise<Uint8Array> {
  const { subject, config } = fold
  const items = groupItems(subject.trials, kept, config.items)
  checkItems(items, `${fold.fold.name}, a part of its training trials`)
  const scaling = fitScaling(subject, kept, config.zscore)
  const ridge = await fitBlendRidge(fold, scaling, items, random)

  const images = await toImageTensor(subject.readImages(distinct(items.stimulus)), config.encoderPixels)
  const encoder = new StudyEncoder(images.side, images.channels, config.width)
  await encoder.fit(images, config, random.split('encoder'), options)
  const examples = await readExamples(subject, scaling, items, config)
  const shown = { ...images, count: items.count, data: examples.pictures! }
  const targets = fixedTargets(encoder.encode(shown), config.width)
  const { parameters, model, plan, trainer, data } = highLevelTraining({ config, random }, examples, targets)
  parameters.initialise(random)
  await trainer.run(data, ({ loss }) => {
    options.progress({ phase: 'train', done: trainer.optimizer.steps, total: plan.totalSteps, values: { loss } })
    options.signal.throwIfAborted()
  })

  const test = groupItems(subject.trials, held, config.items)
  const voxels = averagedVoxels(subject, scaling, test)
  const predicted = predictParts({ ridge, brain: model.brain, pixels: model.pixels!, encoder }, voxels)
  const seen = await squaredPictures(subject, test.stimulus, config)
  parameters.dispose()
  encoder.dispose()
  const { side, channels } = images
  const shape = [test.count, side, side, channels]
  return encodeSafetensors(
    Object.fromEntries(
      Object.entries({ ...predicted, seen }).map(([name, pixels]) => [
        name,
        { dtype: 'float32', shape, data: Float32Array.from(pixels) },
      ]),
    ),
  )
}

/** The blend that suits the held-out pictures of all files. */
function blendOf(paths: readonly string[]): Blend {
  const files = paths.map(readArrays)
  const all = (name: string) => {
    const arrays = files.map((arrays) => arrays.get(name)!.data as Float32Array)
    const joined = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const array of arrays) {
      joined.set(array, at)
      at += array.length
    }
    return joined
  }
  const present = partNames.filter((name) => files.every((arrays) => arrays.has(name)))
  const pictures = Object.fromEntries(present.map((name) => [name, all(name)])) as unknown as PartPictures
  return fitBlend(pictures, all('seen'))
}
