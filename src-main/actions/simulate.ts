import * as v from 'valibot'
import { simulatedLayouts } from '../subjects/simulator/simulate.ts'
import { defineAction, pathField } from './action.ts'

const count = (low: number, high: number) => v.pipe(v.number(), v.integer(), v.minValue(low), v.maxValue(high))

/** Writes simulated subjects to disk in the layout of real data; importing them is a step of its own. */
export const simulateAction = defineAction({
  name: 'simulate',
  summary: 'Write simulated subjects in the layout of real data, to try everything without a scanner.',
  input: v.object({
    out: v.pipe(v.string(), v.description('the folder to make; it must be new or empty'), pathField()),
    subjects: v.optional(v.pipe(count(1, 8), v.description('number of subjects')), 1),
    images: v.optional(
      v.pipe(
        count(12, 9000),
        v.description('training images of each subject; shared test images come on top, one for six (12 to 1,000)'),
      ),
      600,
    ),
    layout: v.optional(
      v.pipe(
        v.picklist(simulatedLayouts),
        v.description('MindEye webdataset, MindEye2 HDF5 files, or the folders of the Natural Scenes Dataset'),
      ),
      'webdataset',
    ),
    seed: v.optional(v.pipe(v.number(), v.integer(), v.description('the same seed gives the same subjects')), 0),
    imageSize: v.optional(
      v.pipe(
        count(32, 512),
        v.description('side of the images in pixels (default: as in the real files, 256, 224 or 425)'),
      ),
    ),
    cortex: v.optional(
      v.pipe(
        count(3, 7),
        v.description(
          'fineness of the cortical surfaces, 10 · 4^n + 2 vertices a hemisphere (default 6; 7 as a scan has)',
        ),
      ),
    ),
  }),
  // Minutes of computing, so not in the process of a host, which has others to answer.
  run: (ctx, input, { signal, progress }) => ctx.reader().call('simulate', input, { signal, onProgress: progress }),
  format: ({ subjects }) => subjects.map(({ id, path }) => `${id}  ${path}`).join('\n'),
})
