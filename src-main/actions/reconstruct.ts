import * as v from 'valibot'
import { resolve } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { mean } from '../evaluation/statistics.ts'
import { denoiserSizes } from '../models/loadDenoiser.ts'
import { openPack } from '../models/pack.ts'
import type { ReconstructionJob } from '../reconstruction/reconstruct.ts'
import type { Kind, SetSettings } from '../reconstruction/sets.ts'
import { findSet, kinds as allKinds, readTrial } from '../reconstruction/sets.ts'
import { ownRepeats } from '../retrieval/repeats.ts'
import { decodesPictures } from '../training/fields.ts'
import { fingerprint } from '../subjects/fingerprint.ts'
import type { JsonObject, RunRecord, Workspace } from '../workspace/index.ts'
import { defineAction, pathField } from './action.ts'
import { finishedRun } from './finishedRun.ts'
import { runJob } from './job.ts'
import { choosePack, runNetworks } from './runPack.ts'
import type { RunPack } from './runPack.ts'
import { repeatsField, runPlace } from './runPlace.ts'
import { formatTable } from './table.ts'
import { runConfig } from './train.ts'

export interface Reconstruction {
  run: string
  /** Id and folder of the set. */
  set: string
  folder: string
  /** How many trials were asked for, and how many of them are new. */
  trials: number
  made: number
  /** By kind: mean cosine of the chosen pictures' embeddings with those decoded from the brain; null where nothing was compared. */
  scores: Partial<Record<Kind, number | null>>
}

const whole = (least: number) => v.pipe(v.number(), v.integer(), v.minValue(least))

/** How pictures are made; also what the engine is asked for a single picture. */
export const pictureFields = {
  lowRun: v.optional(v.pipe(v.string(), v.description('the low-level run, for kinds low and combined'))),
  pack: v.optional(
    v.pipe(v.string(), v.description('id of the pack (default: the one that the run was trained with)')),
  ),
  kind: v.optional(
    v.pipe(
      v.picklist([...allKinds, 'all']),
      v.description(
        'low: the low-level decoder’s picture; high: from the embedding alone; combined: from the embedding, begun at the low-level picture (default: all that the runs allow)',
      ),
    ),
  ),
  strength: v.optional(
    v.pipe(
      v.number(),
      v.gtValue(0),
      v.maxValue(1),
      v.description('combined: share of the way that is denoised; less keeps more of the low-level picture'),
    ),
    0.85,
  ),
  guidance: v.optional(
    v.pipe(
      v.number(),
      v.minValue(0),
      v.description(
        'classifier-free guidance; 1 is none (default: what suits the denoiser, 3.5 for Versatile Diffusion)',
      ),
    ),
  ),
  samples: v.optional(v.pipe(whole(1), v.description('K candidates, of which the nearest to the brain is kept')), 1),
  steps: v.optional(v.pipe(whole(1), v.maxValue(1000), v.description('steps of the denoiser’s sampler')), 20),
  seed: v.optional(
    v.pipe(v.number(), v.integer(), v.description('of the noise, which is the same for every trial')),
    42,
  ),
  without: v.optional(
    v.pipe(v.array(v.string()), v.description('areas whose voxels are put to their mean, by name, repeatable')),
  ),
  repeats: repeatsField,
}

export const reconstructAction = defineAction({
  name: 'reconstruct',
  summary: 'Make pictures of what was seen from the held-out trials of a run; goes on where a former call stopped.',
  ownJob: true,
  input: v.object({
    workspace: v.pipe(v.string(), v.description('the workspace folder')),
    run: v.pipe(v.string(), v.description('id of the run')),
    ...pictureFields,
    noise: v.optional(
      v.pipe(v.string(), v.description('recorded noise to use instead of the seed’s (safetensors)'), pathField()),
    ),
    watch: v.optional(
      v.pipe(
        v.boolean(),
        v.description('also keep the picture as the denoiser sees it after each step, which takes longer'),
      ),
      false,
    ),
    trials: v.optional(
      v.pipe(
        v.array(v.pipe(v.number(), v.integer())),
        v.description('only these held-out trials, by their row in the trial table, from 0 (default: all)'),
      ),
    ),
  }),
  async run(ctx, input, options): Promise<Reconstruction> {
    const workspace = await ctx.workspace(input.workspace)
    const run = finishedRun(workspace, input.run)
    const job = reconstructionJob(workspace, run, input)
    const { workspace: _, ...asked } = input
    const spec = { action: 'reconstruct', run: run.id, input: JSON.parse(JSON.stringify(asked)) as JsonObject }
    return runJob(workspace, spec, options, async (own) => {
      const engine = ctx.ownEngine()
      try {
        const { signal, progress: onProgress } = own.options
        const backend = await engine.call('backend', {}, { signal })
        if (backend.slow)
          ctx.log(`TensorFlow does not compute (${backend.reason}); the plain backend does, many times slower.`)
        const { set, folder, trials, made } = await engine.call('reconstruct', job, { signal, onProgress })
        return { run: run.id, set, folder, trials: trials.length, made, scores: meanScores(job, set, trials) }
      } finally {
        await engine.close()
      }
    })
  },
  format: ({ run, set, folder, trials, made, scores }) =>
    [
      `${run} · set ${set} · ${trials} trials, ${made} of them new`,
      '',
      formatTable(
        ['KIND', 'MEAN COSINE OF THE CHOSEN WITH THE BRAIN’S EMBEDDING'],
        Object.entries(scores).map(([kind, score]) => [kind, score === null ? '–' : score.toFixed(3)]),
      ),
      '',
      `pictures: ${folder}`,
    ].join('\n'),
})

/** What `pictureFields` come to, with the rest of the input of the command. */
export interface PictureInput extends v.InferOutput<v.ObjectSchema<typeof pictureFields, undefined>> {
  noise?: string
  trials?: number[]
  watch?: boolean
}

/** What the engine needs to make the pictures, and what names their set. Throws for runs and packs that do not go together. */
export function reconstructionJob(workspace: Workspace, run: RunRecord, input: PictureInput): ReconstructionJob {
  const { training } = runConfig(run)
  const { strength, samples: candidates, steps, seed, without, trials, watch } = input
  const repeats = input.repeats ?? ownRepeats(training)
  const lowRun = lowRunOf(workspace, run, input.lowRun)
  const kinds = kindsOf(input.kind, run, lowRun)
  const noise = input.noise === undefined ? undefined : resolve(input.noise)
  const place = { ...runPlace(workspace, run), repeats }
  const asked = { run: place, ...{ kinds, strength, candidates, steps, seed, noise, trials, without, watch } }
  const settings: SetSettings = { kinds, repeats, ...(without?.length && { without: [...without].sort() }) }
  if (decodesPictures(training)) return { ...asked, guidance: 1, settings }

  const pack = packOf(workspace, run, input.pack)
  const isDiffused = kinds.some((kind) => kind !== 'low')
  const guidance =
    input.guidance ?? (isDiffused ? denoiserSizes(openPack(pack.folder).pathOf('image_unet')).guidance : 1)
  const low = kinds.some((kind) => kind !== 'high') ? lowRun! : undefined
  return {
    ...asked,
    guidance,
    low: low && { ...runPlace(workspace, low), repeats, autoencoder: autoencoderOf(low, pack) },
    pack: pack.folder,
    settings: {
      ...settings,
      pack: pack.fingerprint,
      ...(low && { lowRun: low.id }),
      ...(isDiffused && { guidance, samples: candidates, steps }),
      ...(isDiffused && (noise === undefined ? { seed } : { noise: fingerprint(noise) })),
      ...(kinds.includes('combined') && { strength }),
    },
  }
}

/** The low-level run: the one asked for, or the run itself where it is one. */
function lowRunOf(workspace: Workspace, run: RunRecord, asked: string | undefined): RunRecord | undefined {
  if (runConfig(run).training.method === 'low-level') return run
  if (asked === undefined) return undefined
  const lowRun = finishedRun(workspace, asked)
  checkLowRun(run, lowRun)
  return lowRun
}

function kindsOf(asked: Kind | 'all' | undefined, run: RunRecord, lowRun: RunRecord | undefined): Kind[] {
  const { training } = runConfig(run)
  const { method, targets } = training
  const isHigh = method === 'mindeye' && targets === 'clip'
  const possible = decodesPictures(training)
    ? allKinds.filter((kind) => kind === 'low' || method !== 'ridge')
    : allKinds.filter((kind) => (kind === 'low' || isHigh) && (kind === 'high' || lowRun))
  const kinds = asked === undefined ? possible : asked === 'all' ? allKinds : [asked]
  if (kinds.length && kinds.every((kind) => possible.includes(kind))) return [...kinds]
  if (isHigh)
    throw new MindEyeError({
      kind: 'input',
      where: '--low-run',
      expected: 'a low-level run, for kinds low and combined',
      found: 'none',
      fix: 'Train one with `mindeye train --preset paper-low-level --pack …`.',
    })
  throw new MindEyeError({
    kind: 'input',
    where: run.id,
    expected: 'a run that decodes pictures, or the image embeddings of a pack',
    found: `method ${method} on targets ${targets}`,
    fix: 'Train one with `mindeye train`: --preset small-study, or --preset paper-subj01 with --pack.',
  })
}

function checkLowRun(run: RunRecord, lowRun: RunRecord): void {
  const { method } = runConfig(lowRun).training
  if (method === 'low-level' && lowRun.subject === run.subject) return
  throw new MindEyeError({
    kind: 'input',
    where: '--low-run',
    expected: `a low-level run of subject ${run.subject}`,
    found: `method ${method} of ${lowRun.subject}`,
    fix: 'List the runs with `mindeye runs`.',
  })
}

/** The pack that was asked for, else the one that the run was trained with, which must still be what it was. */
function packOf(workspace: Workspace, run: RunRecord, asked: string | undefined): RunPack {
  if (asked !== undefined) return choosePack(workspace, asked)
  const { training, pack } = runConfig(run)
  if (pack) {
    runNetworks(training, pack)
    return pack
  }
  throw new MindEyeError({
    kind: 'state',
    where: '--pack',
    expected: 'a pack with the networks that make pictures',
    found: `none, and ${run.id} was trained without one`,
    fix: 'Register one with `mindeye pack add FOLDER` (docs/packs.md says what it holds) and give its id.',
  })
}

/** The autoencoder whose latents a low-level run learned: its own pack's, or for an imported one without a pack that of the given one. */
function autoencoderOf(lowRun: RunRecord, pack: RunPack): string {
  const { training, pack: own } = runConfig(lowRun)
  return own ? runNetworks(training, own).lowLevelVae! : openPack(pack.folder).pathOf('low_level_vae')
}

function meanScores(job: ReconstructionJob, id: string, trials: readonly number[]): Reconstruction['scores'] {
  const set = findSet(job.run.runFolder, id)
  const results = trials.map((trial) => readTrial(set, trial))
  return Object.fromEntries(
    set.kinds.map((kind) => {
      const scores = results.flatMap(({ kinds }) => kinds[kind]!.scores[kinds[kind]!.chosen] ?? [])
      return [kind, scores.length ? mean(scores) : null]
    }),
  )
}
