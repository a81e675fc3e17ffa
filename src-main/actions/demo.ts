import * as v from 'valibot'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { formatDuration } from '../base/eta.ts'
import type { RunOptions } from '../base/progress.ts'
import type { TrainingConfig } from '../training/fields.ts'
import { directions } from '../retrieval/pools.ts'
import { parseSet, presetConfig } from '../training/presets.ts'
import { readManifest } from '../subjects/subject.ts'
import type { Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import { defineAction } from './action.ts'
import { ensureRun, findRun } from './ensureRun.ts'
import { demoImages, demoPlaces, importDemo, simulateDemo } from './demoSubject.ts'
import type { Evaluation } from './evaluate.ts'
import { evaluateAction, interval, percent, questions } from './evaluate.ts'
import { quote } from './finishedRun.ts'
import { retrieveAction } from './retrieve.ts'
import { formatTable } from './table.ts'

const TRAINING_SEED = 42

/** Options that decide what is decoded and from what, so that two decoders with the same values can be compared. */
const TASK_OPTIONS: readonly (keyof TrainingConfig)[] = [
  'items',
  'zscore',
  'targets',
  'tokens',
  'width',
  'encoderPixels',
  'encoderSteps',
  'encoderKl',
  'encoderShift',
  'encoderRotation',
  'encoderScale',
]

export interface Demo {
  workspace: string
  subject: string
  /** Both decoders on the same trials, targets and images. */
  mindeye: Evaluation
  ridge: Evaluation
  /** The contact sheet. */
  sheet: string
  /** What was done, in order; `seconds` is absent for what a former call had done. */
  stages: { stage: string; seconds?: number }[]
}

export const demoAction = defineAction({
  name: 'demo',
  summary:
    'Simulate a subject, import it, train, retrieve and score, beside ridge regression: minutes, no data needed.',
  input: v.object({
    workspace: v.optional(
      v.pipe(v.string(), v.description('the workspace folder; an unfinished demo in it goes on')),
      'demo-workspace',
    ),
    images: demoImages,
    set: v.optional(
      v.pipe(v.array(v.string()), v.description('change an option of the demo preset, name=value, repeatable')),
    ),
  }),
  async run(ctx, input, options): Promise<Demo> {
    const workspace = await ctx.workspace(input.workspace, { create: true })
    const place = { workspace: workspace.path }
    const { subject, data } = demoPlaces(workspace, input.images)
    const stages: Demo['stages'] = []
    const stage = async <T>(name: string, isDone: boolean, work: () => Promise<T>): Promise<T | undefined> => {
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
    const mindeyeRun = await train(ctx, workspace, subject, 'demo', changed, stage, options)
    const shared = Object.fromEntries(TASK_OPTIONS.map((name) => [name, `${demo[name]}`]))
    const ridgeRun = await train(ctx, workspace, subject, 'ridge', shared, stage, options)

    const scoring = { ...place, kind: 'none', top: '1,3', seed: TRAINING_SEED } as const
    const sheet = join(workspace.path, 'contact-sheet.png')
    const scored = await stage('retrieve and score', false, async () => {
      const mindeye = await evaluateAction.run(ctx, { ...scoring, run: mindeyeRun }, options)
      const ridge = await evaluateAction.run(ctx, { ...scoring, run: ridgeRun }, options)
      const retrieval = {
        ...place,
        run: mindeyeRun,
        top: 5,
        direction: 'image',
        seed: TRAINING_SEED,
        out: sheet,
      } as const
      await retrieveAction.run(ctx, retrieval, options)
      return { mindeye, ridge }
    })
    return { workspace: workspace.path, subject, ...scored!, sheet, stages }
  },
  format: (demo) =>
    [
      ...describeStages(demo),
      '',
      ...describeScores(demo),
      '',
      `Contact sheet (what was seen, and the five images found): ${demo.sheet}`,
      `Runs, with weights and learning curves: ${join(demo.workspace, 'runs')}`,
      '',
      ...describeNext(demo),
    ].join('\n'),
})

type Stage = <T>(name: string, isDone: boolean, work: () => Promise<T>) => Promise<T | undefined>

/** The run of a preset with these options as a stage: one of a former call, or a new one. */
async function train(
  ctx: ActionContext,
  workspace: Workspace,
  subject: string,
  preset: 'demo' | 'ridge',
  set: Record<string, string>,
  stage: Stage,
  options: RunOptions,
): Promise<string> {
  const split = readManifest(workspace.subjects.get(subject).folder).defaultSplit
  const wanted = { subject, preset, set, split, seed: TRAINING_SEED }
  const found = findRun(workspace, wanted)
  const done = found?.state === 'done' ? found.id : undefined
  const title = preset === 'demo' ? 'train MindEye' : 'fit ridge regression to the same targets'
  return (await stage(title, done !== undefined, () => ensureRun(ctx, workspace, wanted, options))) ?? done!
}

function describeStages({ stages }: Demo): string[] {
  const work = stages.filter(({ seconds }) => seconds !== undefined)
  const total = work.reduce((sum, { seconds }) => sum + seconds!, 0)
  const rows = stages.map(({ stage, seconds }) => [
    stage,
    seconds === undefined ? 'was done before' : formatDuration(seconds),
  ])
  const isRepeat = work.length === 1
  return [
    formatTable(['STAGE', 'TIME'], [...rows, ['all', formatDuration(total)]]),
    ...(isRepeat ? ['', 'The demo was finished before and is only shown again; delete its folder to repeat it.'] : []),
  ]
}

function describeScores({ mindeye, ridge }: Demo): string[] {
  const rows = directions.flatMap((direction) =>
    Object.entries(mindeye.retrieval[direction]).map(([top, score]) => {
      const other = ridge.retrieval[direction][top as keyof Evaluation['retrieval']['image']]
      return [
        questions[direction],
        top.replace('top', 'top-'),
        percent(score.mean),
        interval(score.ci95),
        percent(other.mean),
        interval(other.ci95),
        percent(score.chance),
      ]
    }),
  )
  return [
    `Retrieval among ${mindeye.pool} images that training never saw (${mindeye.trials} averaged brain patterns of a simulated subject):`,
    '',
    formatTable(['QUESTION', 'WITHIN', 'MINDEYE', '95 % INTERVAL', 'RIDGE', '95 % INTERVAL', 'CHANCE'], rows),
  ]
}

function describeNext({ workspace, subject, mindeye }: Demo): string[] {
  const where = `--workspace ${quote(workspace)}`
  const commands = [
    [`retrieve ${where} --run ${mindeye.run}`, 'every held-out trial with what it found'],
    [`evaluate ${where} --run ${mindeye.run} --pool ${Math.ceil(mindeye.pool / 2)}`, 'scores in smaller pools'],
    [`train ${where} --subject ${subject} --preset small-study`, 'another decoder for the same subject'],
    ['inspect PATH', 'what your own files are, and which checks hold'],
    ['import PATH --workspace MY-WORKSPACE', 'your own data, then train as above'],
    ['decode NEW-TRIALS.npy --workspace MY-WORKSPACE --run RUN', 'trials whose images nobody knows'],
  ]
  return [
    'Look at it in the workstation:',
    `  npm start -- ${where}`,
    '',
    'Next (each with --help):',
    ...commands.flatMap(([line, what]) => [`  # ${what}`, `  npm run -s mindeye -- ${line}`]),
  ]
}
