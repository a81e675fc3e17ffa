import { mkdirSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import type { RunOptions } from '../base/progress.ts'
import { foldFiles } from '../training/foldFiles.ts'
import { foldFolder } from '../training/foldTest.ts'
import type { LowLevelConfig } from '../models/lowLevelNetwork.ts'
import type { TrainingConfig } from '../training/fields.ts'
import { parseTraining } from '../training/fields.ts'
import type { CheckpointInspection, CheckpointVerdict } from '../training/published/report.ts'
import { readManifest } from '../subjects/subject.ts'
import type { JsonObject, Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import { runJob } from './job.ts'
import { choosePack, runNetworks } from './runPack.ts'
import type { RunConfig } from './train.ts'

export interface ImportRequest {
  file: string
  subject: string
  pack?: string
  zscore: TrainingConfig['zscore']
}

export interface ImportedRun {
  run: string
  subject: string
  /** What the file turned out to be. */
  title: string
  parameters: number
  epoch?: number
  /** Held-out trials whose embeddings were computed; 0 without a pack. */
  embedded: number
}

/** Kinds of checkpoints that can decode the voxels of a subject. */
const DECODERS = ['high-level', 'brain-network', 'low-level']

/** Of an import nothing is drawn; runs need one all the same. */
const SEED = 42

/** Makes a model that was trained elsewhere a finished run of a subject; the checkpoint stays where it is. */
export async function importRun(
  ctx: ActionContext,
  workspace: Workspace,
  { file, subject: subjectId, pack: packId, zscore }: ImportRequest,
  options: RunOptions,
): Promise<ImportedRun> {
  const path = resolve(file)
  const subject = workspace.subjects.get(subjectId)
  const { voxelCount, defaultSplit: split } = readManifest(subject.folder)
  const reading = { signal: options.signal, onProgress: options.progress }
  const found = await ctx.reader().call('inspectCheckpoint', { path }, reading)
  checkDecoder(found, voxelCount, subjectId)
  checkWhole(await ctx.reader().call('verifyCheckpoint', { path }, reading))
  const training = trainingOf(found, zscore)
  const pack = packId === undefined ? undefined : choosePack(workspace, packId)
  const networks = pack ? runNetworks(training, pack) : {}
  const config: RunConfig = { training, split, seed: SEED, ...(pack && { pack }) }
  const source = { path, bytes: found.bytes, kind: found.kind }
  const { id } = workspace.runs.create({
    subject: subjectId,
    preset: 'imported',
    config: { ...(config as unknown as JsonObject), source },
  })
  try {
    return await runJob(workspace, { action: 'runs import', input: { run: id, file: path } }, options, async (job) => {
      job.claim(id)
      const runFolder = workspace.runs.folderOf(id)
      const folder = foldFolder(runFolder, 0)
      mkdirSync(folder, { recursive: true })
      const call = { signal: job.options.signal, onProgress: job.options.progress }
      const target = { path, out: foldFiles(folder).model, dtype: 'float32' as const }
      await ctx.reader().call('convertCheckpoint', target, call)
      const task = { runFolder, subjectFolder: subject.folder, config: training, split, seed: SEED, networks }
      const { embedded } = await ctx.engine().call('completeImport', task, call)
      const { title, parameters, epoch } = found
      workspace.runs.update(id, { summary: { folds: 1, parameters, embedded, ...(epoch !== undefined && { epoch }) } })
      return { run: id, subject: subjectId, title, parameters, epoch, embedded }
    })
  } catch (error) {
    // Half an import is worth nothing, and the checkpoint is still there.
    workspace.runs.delete(id)
    throw error
  }
}

function checkDecoder({ kind, title, config, path }: CheckpointInspection, voxels: number, subject: string): void {
  if (!DECODERS.includes(kind))
    throw new MindEyeError({
      kind: 'input',
      where: basename(path),
      expected: 'a MindEye decoder: the low-level network, or voxel2clip alone or with the diffusion prior',
      found: title,
      fix: '`mindeye checkpoint inspect FILE` says what is in it.',
    })
  if (config.voxels === voxels) return
  throw new MindEyeError({
    kind: 'input',
    where: basename(path),
    expected: `${voxels} voxels, as subject ${subject} has`,
    found: `${JSON.stringify(config.voxels)}`,
    fix: 'Take the checkpoint of the subject that it was trained on, with the voxels in the same order.',
  })
}

function checkWhole({ ok, path, missing, extra, misshaped, notFinite }: CheckpointVerdict): void {
  if (ok) return
  const problems = [
    ...missing.map(({ name, shape }) => `${name} [${shape}] is missing`),
    ...misshaped.map(({ name, expected, found }) => `${name} is [${found}] instead of [${expected}]`),
    ...extra.map(({ name, shape }) => `${name} [${shape}] is extra`),
    ...notFinite.map(({ name }) => `${name} has numbers that are not finite`),
  ]
  throw new MindEyeError({
    kind: 'format',
    where: basename(path),
    expected: 'every parameter of the decoder, finite',
    found: `${problems.slice(0, 20).join('; ')}${problems.length > 20 ? '; …' : ''}`,
    fix: '`mindeye checkpoint verify FILE` lists all of it.',
  })
}

/** The options under which such a model would have been trained; what its file does not say is the paper's. */
function trainingOf({ config, kind }: CheckpointInspection, zscore: TrainingConfig['zscore']): TrainingConfig {
  const common = { items: 'stimulus', zscore }
  const parsed = parseTraining(
    kind === 'low-level' ? { ...common, ...lowLevelChoices(config) } : { ...common, ...highLevelChoices(config, kind) },
  )
  if (parsed.success) return parsed.output
  throw new Error(`sizes of a recognised checkpoint: ${parsed.issues[0].message}`)
}

function highLevelChoices({ voxels: _, ...sizes }: JsonObject, kind: string) {
  return { ...sizes, prior: kind === 'high-level', targets: 'clip', augment: true }
}

function lowLevelChoices(config: JsonObject) {
  const { hidden, blocks, map, channels, features, latent } = config as unknown as LowLevelConfig
  const head = features ? { contrast: true, features } : { contrast: false }
  const sizes = { mapSide: map.side, upsamplerWidth: channels[0], latentChannels: latent }
  return { method: 'low-level', hidden, blocks, ...sizes, ...head }
}
