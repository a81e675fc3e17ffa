import * as v from 'valibot'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import type { TrainingConfig } from '../training/fields.ts'
import { defaultPack, parseSet, presetConfig } from '../training/presets.ts'
import { readManifest } from '../subjects/subject.ts'
import type { Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import { defineAction } from './action.ts'
import { describeDemo } from './demoReport.ts'
import { demoSheet } from './demoSheet.ts'
import { demoImages, demoPlaces, importDemo, simulateDemo } from './demoSubject.ts'
import { ensureRun, findRun } from './ensureRun.ts'
import type { Evaluation } from './evaluate.ts'
import { evaluateAction } from './evaluate.ts'
import { exportAction } from './export.ts'
import { reconstructAction } from './reconstruct.ts'

const SEED = 42

/** Options that decide what is decoded and from what, so that two decoders with the same values can be compared. */
const TASK_OPTIONS: readonly (keyof TrainingConfig)[] = ['items', 'zscore', 'targets', 'tokens', 'width']

export interface Demo {
  workspace: string
  subject: string
  /** MindEye's retrieval and its combined reconstructions; then the same run's without the low level, and the low level's alone. */
  mindeye: Evaluation
  high: Evaluation
  low: Evaluation
  /** Ridge regression on the same trials, to the same targets and to pixels. */
  ridge: Evaluation
  /** The contact sheet, and the page that tells the run's story. */
  sheet: string
  figure: string
  /** What was done, in order; `seconds` is absent for what a former call had done. */
  stages: { stage: string; seconds?: number }[]
  /** Trials that were reconstructed and had not been before. */
  made: number
}

export const demoAction = defineAction({
  name: 'demo',
  summary:
    'Simulate a subject, import it, train, retrieve, reconstruct and score, beside ridge regression: minutes, no data needed.',
  input: v.object({
    workspace: v.optional(
      v.pipe(v.string(), v.description('the workspace folder; an unfinished demo in it goes on')),
      'demo-workspace',
    ),
    images: demoImages,
    set: v.optional(
      v.pipe(v.array(v.string()), v.description('change an option of both decoders, name=value, repeatable')),
    ),
  }),
  async run(ctx, input, options): Promise<Demo> {
    const workspace = await ctx.workspace(input.workspace, { create: true })
    const place = { workspace: workspace.path }
    const { subject, data } = demoPlaces(workspace, input.images)
    const stages: Demo['stages'] = []
    const stage: Stage = async (name, isDone, work) => {
      if (isDone) {
        stages.push({ stage: name })
        return undefined
      }
      ctx.log(`— ${name}`)
      const started = performance.now()
      const result = await work()
      stages.push({ stage: name, seconds: (performance.now() - started) / 1000 })
      return result
    }

    const isImported = workspace.subjects.has(subject)
    await stage('simulate a subject', isImported || existsSync(data), () =>
      simulateDemo(ctx, data, input.images, options),
    )
    await stage('import it', isImported, () => importDemo(ctx, workspace, input.images, options))

    const changed = parseSet(input.set ?? [])
    const demo = presetConfig('demo', changed)
    const shared = Object.fromEntries(TASK_OPTIONS.map((name) => [name, `${demo[name]}`]))
    const train = (title: string, preset: string, set: Record<string, string>, pack?: string) =>
      trainStage(ctx, workspace, { title, subject, preset, set, pack }, stage, options)
    const run = await train('train MindEye', 'demo', changed)
    const lowRun = await train('train its low level', 'demo-low-level', changed)
    const ridgeRun = await train(
      'fit ridge regression to the same tokens and to pixels',
      'ridge',
      { ...shared, pictures: 'true' },
      defaultPack('demo', demo),
    )

    const made = await stage('reconstruct', false, async () => {
      const own = await reconstructAction.run(ctx, { ...place, ...PICTURES, run, lowRun }, options)
      const ridge = await reconstructAction.run(ctx, { ...place, ...PICTURES, run: ridgeRun }, options)
      return own.made + ridge.made
    })
    const sheet = join(workspace.path, 'contact-sheet.png')
    const scored = await stage('score', false, async () => {
      const score = (id: string, kind: 'low' | 'high' | 'combined') =>
        evaluateAction.run(ctx, { ...place, run: id, kind, top: '1,3', seed: SEED }, options)
      return {
        mindeye: await score(run, 'combined'),
        high: await score(run, 'high'),
        low: await score(run, 'low'),
        ridge: await score(ridgeRun, 'low'),
      }
    })
    const { mindeye: combined, high, low } = scored!
    writeFileAtomic(sheet, await demoSheet(ctx, workspace, { low, high, combined }, options))
    const figure = join(workspace.path, 'overview.pdf')
    await stage('draw the overview', false, () =>
      exportAction.run(ctx, { ...place, figure: 'overview', run, out: figure }, options),
    )
    return { workspace: workspace.path, subject, ...scored!, sheet, figure, stages, made: made! }
  },
  format: describeDemo,
})

/** Of the reconstructions of the demo: all that the runs allow, of all test images. */
const PICTURES = { strength: 0.5, samples: 1, steps: 20, seed: SEED, watch: false }

type Stage = <T>(name: string, isDone: boolean, work: () => Promise<T>) => Promise<T | undefined>

/** The run of a preset with these options as a stage: one of a former call, or a new one. */
async function trainStage(
  ctx: ActionContext,
  workspace: Workspace,
  { title, ...asked }: { title: string; subject: string; preset: string; set: Record<string, string>; pack?: string },
  stage: Stage,
  options: RunOptions,
): Promise<string> {
  const split = readManifest(workspace.subjects.get(asked.subject).folder).defaultSplit
  const wanted = { ...asked, split, seed: SEED }
  const found = findRun(workspace, wanted)
  const done = found?.state === 'done' ? found.id : undefined
  return (await stage(title, done !== undefined, () => ensureRun(ctx, workspace, wanted, options))) ?? done!
}
