import { readFileSync } from 'node:fs'
import { MindEyeError } from '../base/errors.ts'
import type { RunPlace } from '../retrieval/repeats.ts'
import { readManifest } from '../subjects/subject.ts'
import type { Blend } from '../training/blend.ts'
import { applyBlend } from '../training/blend.ts'
import { loadRidge, ridgeOutput } from '../training/decoder.ts'
import { decodesPictures } from '../training/fields.ts'
import { foldFiles } from '../training/foldFiles.ts'
import { foldFolder } from '../training/foldTest.ts'
import { loadParts, partShape, predictParts } from '../training/pictureParts.ts'
import type { Kind } from './sets.ts'

export interface StudyReconstructor {
  /** Of the square pictures, px. */
  side: number
  channels: number
  /**
   * z-scored voxels (n, V) → pictures (n, side, side, channels) in [0, 1]: of the pixel network, of the decoded embedding, and the blend with
   * its contrast curve; beside them those of ridge regression alone, which is a part of the blend (absent where it was not fitted). A run of
   * method ridge has no other than the last, as its low-level picture.
   */
  reconstruct(voxels: Float32Array): Partial<Record<Kind | 'ridge', Float32Array>>
  dispose(): void
}

/** Opens what one fold of a finished run decodes pictures with; throws a state error when the run decodes none. */
export function openStudyReconstructor(
  { runFolder, subjectFolder, config }: Pick<RunPlace, 'runFolder' | 'subjectFolder' | 'config'>,
  fold: number,
): StudyReconstructor {
  if (!decodesPictures(config))
    throw new MindEyeError({
      kind: 'state',
      where: runFolder,
      expected: 'a run that decodes pictures by itself',
      found: 'one that was trained for retrieval only',
      fix: 'Train with --preset small-study, or another study preset with --set pictures=true.',
    })
  const { voxelCount, image } = readManifest(subjectFolder)
  const folder = foldFolder(runFolder, fold)
  const files = foldFiles(folder)
  const shape = partShape(config, image)
  if (config.method === 'ridge') {
    const predict = ridgeOutput(loadRidge(files.ridge))
    return { ...shape, reconstruct: (voxels) => ({ low: predict(voxels).map(clamp) }), dispose() {} }
  }
  const blend = JSON.parse(readFileSync(files.blend, 'utf8')) as Blend
  const models = loadParts(folder, config, voxelCount, image)
  return {
    ...shape,
    reconstruct(voxels) {
      const parts = predictParts(models, voxels)
      const clamped = Object.fromEntries(Object.entries(parts).map(([name, pixels]) => [name, pixels.map(clamp)]))
      return { ...(clamped as typeof parts), combined: applyBlend(blend, parts) }
    },
    dispose: () => models.dispose(),
  }
}

const clamp = (x: number): number => Math.min(1, Math.max(0, x))
