import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { MindEyeError } from '../../base/errors.ts'
import type { RunOptions } from '../../base/progress.ts'
import { makeExperiment, makeSubject } from './experiment.ts'
import { writeRois, writeTruth } from './writeCommon.ts'
import { writeCortex } from './writeCortex.ts'
import type { LayoutJob } from './writeCommon.ts'
import { mindEye2Images, writeMindEye2, writeMindEye2Images } from './writeMindEye2.ts'
import { nsdStimuli, writeNsd, writeNsdStimuli } from './writeNsd.ts'
import { writeWebdataset } from './writeWebdataset.ts'

interface LayoutWriter {
  /** Side of the pictures in the real files, pixels. */
  imageSize: number
  write(job: LayoutJob): Promise<void>
  /** A file of all subjects' images: written for the first subject, linked for the others. */
  images?: { path: string; write(job: LayoutJob): Promise<void> }
}

const writers = {
  webdataset: { imageSize: 256, write: writeWebdataset },
  hdf5: { imageSize: 224, write: writeMindEye2, images: { path: mindEye2Images, write: writeMindEye2Images } },
  nsd: { imageSize: 425, write: writeNsd, images: { path: nsdStimuli, write: writeNsdStimuli } },
} satisfies Record<string, LayoutWriter>

export type SimulatedLayout = keyof typeof writers
export const simulatedLayouts = Object.keys(writers) as SimulatedLayout[]

export interface SimulateOptions {
  /** Folder to make; it may exist when it is empty. */
  out: string
  /** 1 to 8. */
  subjects: number
  /** Images that only this subject sees, at least 2; shared test images come on top, one for six (12 to 1,000). */
  images: number
  layout: SimulatedLayout
  seed: number
  /** Side of the written pictures; default: as in the real files of the layout. */
  imageSize?: number
  /** Surfaces of 10 * 4^level + 2 vertices a hemisphere; default 6 (40,962), 7 is as fine as a scan's. */
  cortex?: number
}

const CORTEX_LEVEL = 6

/**
 * Writes simulated subjects, each a complete dataset of the layout in its own folder `OUT/subj0S`, beside what only a
 * simulation knows in `OUT/subj0S/truth`. The same seed gives the same trials in every layout. All or nothing: work happens
 * in a folder beside `out`, which takes its name at the end. Throws an input error for a folder that is not empty.
 */
export async function simulate(
  options: SimulateOptions,
  run: RunOptions,
): Promise<{ subjects: { id: string; path: string }[] }> {
  const out = resolve(options.out)
  if (existsSync(out) && readdirSync(out).length)
    throw new MindEyeError({
      kind: 'input',
      where: options.out,
      expected: 'a new or empty folder',
      found: 'a folder with files',
      fix: 'Choose another --out, or delete it first.',
    })
  const writer: LayoutWriter = writers[options.layout]
  const temporary = join(dirname(out), `.${basename(out)}.${process.pid}.partial`)
  try {
    const experiment = makeExperiment(options.seed, options.subjects, options.images)
    const ids: string[] = []
    for (let number = 1; number <= options.subjects; number++) {
      const subject = await makeSubject(experiment, number, run)
      const folder = join(temporary, subject.id)
      mkdirSync(folder, { recursive: true })
      const job: LayoutJob = {
        experiment,
        subject,
        folder,
        imageSize: options.imageSize ?? writer.imageSize,
        cortexLevel: options.cortex ?? CORTEX_LEVEL,
        options: run,
      }
      await writer.write(job)
      writeRois(job)
      writeCortex(job)
      writeTruth(job)
      if (writer.images && number === 1) await writer.images.write(job)
      else if (writer.images) link(join(temporary, ids[0], writer.images.path), join(folder, writer.images.path))
      ids.push(subject.id)
    }
    renameSync(temporary, out)
    return { subjects: ids.map((id) => ({ id, path: join(out, id) })) }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

function link(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  try {
    linkSync(from, to)
  } catch {
    copyFileSync(from, to)
  }
}
