import * as v from 'valibot'
import { resolve } from 'node:path'
import type { Inspection } from '../subjects/importer.ts'
import { parseMapping } from '../subjects/mapping.ts'
import { describeChecks } from '../subjects/wording.ts'
import { defineAction, pathField } from './action.ts'

/** Files of a dataset and how to read them, as `inspect` and `import` take them. */
export const datasetEntries = {
  paths: v.pipe(v.array(v.string()), v.minLength(1), v.description('files and folders of the dataset'), pathField()),
  map: v.optional(
    v.pipe(
      v.array(v.string()),
      v.description('which array is what, for files in no known layout, e.g. voxels.train=betas stimuli.train=images'),
    ),
  ),
}

export const inspect = defineAction({
  name: 'inspect',
  summary: 'Say what files are and which checks hold, without importing them.',
  input: v.object(datasetEntries),
  positional: ['paths'],
  async run(ctx, input, { signal, progress }): Promise<Inspection> {
    const request = { paths: input.paths.map((path) => resolve(path)), map: parseMapping(input.map ?? []) }
    return ctx.reader().call('inspect', request, { signal, onProgress: progress })
  },
  format: (found) =>
    [
      `${found.layoutTitle} (${found.recognition.explanation})`,
      `${found.trialCount} trials, ${found.voxelCount} voxels, ${found.stimulusCount} images of ${found.image.height} x ${found.image.width}`,
      ...describeChecks(found.checks),
    ].join('\n'),
})
