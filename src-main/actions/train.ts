import * as v from 'valibot'
import { MindEyeError } from '../base/errors.ts'
import { formatDuration } from '../base/eta.ts'
import { ProcessDeath } from '../engine/channel.ts'
import { trainingFolds } from '../training/examples.ts'
import { openPack } from '../models/pack.ts'
import { fitToPack } from '../training/encoder.ts'
import { checkMemory, trainingBytes } from '../training/memory.ts'
import { defaultPack, parseSet, presetConfig, presets } from '../training/presets.ts'
import { completed, type TrainingConfig } from '../training/fields.ts'
import { readManifest, readTrials } from '../subjects/subject.ts'
import type { ActionContext } from './action.ts'
import { defineAction } from './action.ts'
import { quote, resumeCommand } from './finishedRun.ts'
import { runJob } from './job.ts'
import type { RunPack } from './runPack.ts'
import { choosePack, located, runNetworks } from './runPack.ts'
import type { RunOptions } from '../base/progress.ts'
import type { JsonObject, RunRecord, Workspace } from '../workspace/index.ts'

/** What `run.json` keeps of a run: everything that determines it. */
export interface RunConfig {
  training: TrainingConfig
  split: string
  seed: number
  pack?: RunPack
}

/** A cancelled training first writes a checkpoint, 11 GB for the largest preset; a second Ctrl-C ends it at once. */
const LAST_SAVE_MS = 300_000

export function runConfig(run: RunRecord): RunConfig {
  const { training, pack, ...config } = run.config as unknown as RunConfig
  return { ...config, training: completed(training), ...(pack && { pack: located(pack) }) }
}

export const trainAction = defineAction({
  name: 'train',
  summary: 'Train a decoder on a subject, or go on with an interrupted run.',
  ownJob: true,
  input: v.object({
    workspace: v.pipe(v.string(), v.description('the workspace folder')),
    subject: v.optional(v.pipe(v.string(), v.description('id of the subject; not with --resume'))),
    preset: v.optional(
      v.pipe(
        v.picklist(presets.map(({ id }) => id)),
        v.description('options to start from; `mindeye presets` tells what each is for'),
      ),
      'small-study',
    ),
    split: v.optional(
      v.pipe(
        v.string(),
        v.description(
          'what is held out: shipped, leave-one-run-out, leave-one-stimulus-out or kfold:K (default: what the import chose)',
        ),
      ),
    ),
    seed: v.optional(v.pipe(v.number(), v.integer(), v.description('everything random follows from it')), 42),
    epochs: v.optional(
      v.pipe(v.number(), v.integer(), v.minValue(1), v.description('passes over the training examples')),
    ),
    pack: v.optional(
      v.pipe(
        v.string(),
        v.description('id of the pack whose pretrained networks to use (default: the preset’s, if it has one)'),
      ),
    ),
    set: v.optional(
      v.pipe(v.array(v.string()), v.description('one option as name=value, repeatable; `mindeye presets` lists them')),
    ),
    resume: v.optional(
      v.pipe(v.string(), v.description('the run to go on with, to the same bits as without the interruption')),
    ),
  }),
  async run(ctx, input, options) {
    const workspace = await ctx.workspace(input.workspace)
    const overrides = { ...parseSet(input.set ?? []), ...(input.epochs && { epochs: String(input.epochs) }) }
    if (input.resume) {
      const asked = {
        ...overrides,
        ...(input.subject && { subject: input.subject }),
        ...(input.split && { split: input.split }),
        ...(input.pack && { pack: input.pack }),
      }
      checkUnchanged(workspace.runs.get(input.resume), asked)
      return continueRun(ctx, workspace, input.resume, options)
    }
    if (!input.subject)
      throw new MindEyeError({
        kind: 'input',
        where: '--subject',
        expected: 'the id of a subject',
        found: 'nothing',
        fix: 'List them with `mindeye subjects`.',
      })
    const subject = workspace.subjects.get(input.subject)
    const asked = presetConfig(input.preset, overrides)
    const packId = input.pack ?? defaultPack(input.preset, asked)
    const pack = packId === undefined ? undefined : choosePack(workspace, packId)
    const training = pack ? fitToPack(asked, Object.keys(overrides), openPack(pack.folder)) : asked
    runNetworks(training, pack)
    const manifest = readManifest(subject.folder)
    checkMemory(trainingBytes(training, manifest.voxelCount, manifest.trialCount, manifest.image))
    const split = input.split ?? manifest.defaultSplit
    // Refused before there is a run that could never be finished.
    trainingFolds(readTrials(subject.folder, manifest), split, input.seed, training)
    const config: RunConfig = { training, split, seed: input.seed, ...(pack && { pack }) }
    const run = workspace.runs.create({
      subject: subject.id,
      preset: input.preset,
      config: config as unknown as JsonObject,
    })
    return continueRun(ctx, workspace, run.id, options)
  },
  format: ({ run, workspace, folds, parameters, seconds }) =>
    `trained ${run}: ${parameters.toLocaleString('en')} parameters${folds > 1 ? ` in each of ${folds} folds` : ''}, ${formatDuration(seconds)}\nscore it with \`mindeye evaluate --workspace ${quote(workspace)} --run ${run}\``,
})

/** A resumed run goes on as it began: throws when an option given beside `--resume` says otherwise. */
function checkUnchanged(run: RunRecord, asked: Record<string, string>): void {
  const { training, split, pack } = runConfig(run)
  const began: Record<string, string | number | boolean> = {
    ...training,
    split,
    subject: run.subject,
    pack: pack?.id ?? 'none',
  }
  for (const [name, value] of Object.entries(asked))
    if (value !== `${began[name]}` && Number(value) !== began[name])
      throw new MindEyeError({
        kind: 'input',
        where: `--resume ${run.id}`,
        expected: `${name} ${began[name]}, as the run began`,
        found: `'${value}'`,
        fix: 'Leave the option out, or start a new run.',
      })
}

export interface Trained {
  run: string
  workspace: string
  folds: number
  parameters: number
  seconds: number
  backend: string
}

/** Trains a queued or interrupted run to its end as a job; its record says how it ended, whatever happens. */
function continueRun(ctx: ActionContext, workspace: Workspace, id: string, options: RunOptions): Promise<Trained> {
  return runJob(workspace, { action: 'train', input: { resume: id } }, options, async (job) => {
    const run = workspace.runs.get(id)
    const { training, split, seed, pack } = runConfig(run)
    const networks = runNetworks(training, pack)
    job.claim(id)
    const log = (line: string) => {
      ctx.log(line)
      job.log(line)
    }
    const { signal, progress: onProgress } = job.options
    const engine = ctx.ownEngine()
    try {
      const backend = await engine.call('backend', {}, { signal })
      const before = run.config.backend
      if (before && JSON.stringify(before) !== JSON.stringify(backend))
        log('This run began on another backend: it goes on, but not to the same bits.')
      workspace.runs.update(id, { config: { ...run.config, backend: backend as unknown as JsonObject } })
      if (backend.slow)
        log(`TensorFlow does not compute (${backend.reason}); the plain backend does, many times slower.`)
      const { folder: subjectFolder } = workspace.subjects.get(run.subject)
      const task = { runFolder: workspace.runs.folderOf(id), subjectFolder, config: training, split, seed, networks }
      const call = { signal, onProgress, abortGraceMs: LAST_SAVE_MS }
      const { folds, parameters, warnings } = await engine.call('train', task, call)
      warnings.forEach(log)
      const seconds = workspace.jobs.secondsOf(id)
      workspace.runs.update(id, { summary: { folds, parameters, seconds } })
      return { run: id, workspace: workspace.path, folds, parameters, seconds, backend: backend.name }
    } catch (error) {
      if (signal.aborted || error instanceof ProcessDeath) ctx.log(`go on with \`${resumeCommand(workspace, id)}\``)
      throw error
    } finally {
      await engine.close()
    }
  })
}
