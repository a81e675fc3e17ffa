import * as v from 'valibot'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { RunOptions } from '../base/progress.ts'
import type { Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import { defineAction } from './action.ts'
import type { Imported } from './import.ts'
import { importDataset } from './import.ts'
import { runJob } from './job.ts'
import { simulateAction } from './simulate.ts'

/** Of the simulated subject; no preset was chosen by looking at this one. */
const SIMULATION_SEED = 2026
const IMAGE_PIXELS = 64

/** How many images the demo's subject sees beside the shared test images. */
export const demoImages = v.optional(
  v.pipe(v.number(), v.integer(), v.minValue(12), v.maxValue(9000), v.description('training images')),
  600,
)

/** The id of the demo's subject, and the folder of its files in the workspace. */
export function demoPlaces(workspace: Workspace, images: number): { subject: string; data: string } {
  const subject = `simulated-${images}`
  return { subject, data: join(workspace.path, `${subject}-data`) }
}

/** Writes the files of the demo's subject, unless they are there. */
export async function simulateDemo(ctx: ActionContext, data: string, images: number, options: RunOptions) {
  if (existsSync(data)) return
  const choices = { subjects: 1, layout: 'webdataset', seed: SIMULATION_SEED, imageSize: IMAGE_PIXELS } as const
  await simulateAction.run(ctx, { out: data, images, ...choices }, options)
}

/** Imports the files of the demo's subject. */
export function importDemo(ctx: ActionContext, workspace: Workspace, images: number, options: RunOptions) {
  const { subject, data } = demoPlaces(workspace, images)
  return importDataset(ctx, workspace, { paths: [join(data, 'subj01')], as: subject }, options)
}

export const demoSubjectAction = defineAction({
  name: 'demo-subject',
  summary: 'Make the simulated subject of the demo and import it: something to try everything on, in seconds.',
  ownJob: true,
  input: v.object({
    workspace: v.pipe(v.string(), v.description('the workspace folder; made when it does not exist')),
    images: demoImages,
  }),
  async run(ctx, { workspace: path, images }, options): Promise<Imported> {
    const workspace = await ctx.workspace(path, { create: true })
    return runJob(workspace, { action: 'demo-subject', input: { images } }, options, async ({ options }) => {
      await simulateDemo(ctx, demoPlaces(workspace, images).data, images, options)
      return importDemo(ctx, workspace, images, options)
    })
  },
  format: ({ subject }) => `imported ${subject}`,
})
