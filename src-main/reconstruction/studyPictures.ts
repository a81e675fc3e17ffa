import { setImmediate } from 'node:timers/promises'
import { openSubject } from '../subjects/subject.ts'
import { choosePatterns, heldOutPatterns, voxelReader } from './patterns.ts'
import type { OpenedPictures, PictureJob } from './pictures.ts'
import type { Made } from './pipeline.ts'
import type { FloatPicture, Kind } from './sets.ts'
import { openStudyReconstructor } from './study.ts'

/** Opens a small study's run, which decodes pictures by itself: at once, one of each kind. Throws a state error where it was not trained to. */
export async function openStudyPictures({ run, trials, without, kinds }: PictureJob): Promise<OpenedPictures> {
  const subject = await openSubject(run.subjectFolder)
  try {
    const patterns = choosePatterns(heldOutPatterns(run, subject), trials)
    const read = voxelReader(run, subject, run.subjectFolder, without)
    return {
      subject,
      patterns,
      steps: 1,
      lowFoldOf: () => 0,
      async make(chunk, watch) {
        const study = openStudyReconstructor(run, chunk[0].fold)
        try {
          const made: Made[] = []
          for (const pattern of chunk) {
            const pixels = study.reconstruct(read(pattern))
            const only = (kind: Kind) => ({ chosen: 0, scores: [], candidates: [coloured(pixels[kind]!, study)] })
            made.push({ kinds: Object.fromEntries(kinds.map((kind) => [kind, only(kind)])), stages: {} })
            watch.step(`trial ${pattern.trial}`)
            await setImmediate() // lets an abort in
          }
          return made
        } finally {
          study.dispose()
        }
      },
      close: () => subject.close(),
    }
  } catch (error) {
    subject.close()
    throw error
  }
}

/** A square picture in three channels, which are equal where it is grey. */
function coloured(pixels: Float32Array, { side, channels }: { side: number; channels: number }): FloatPicture {
  const data = Float32Array.from({ length: side * side * 3 }, (_, i) =>
    channels === 3 ? pixels[i] : pixels[Math.floor(i / 3)],
  )
  return { height: side, width: side, data }
}
