import * as v from 'valibot'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { stageFolder, writeFileAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import type { CallOptions } from '../engine/channel.ts'
import { encodeTable } from '../formats/table.ts'
import type { DecodedTrials } from '../retrieval/decodeTrials.ts'
import type { Networks } from '../training/encoder.ts'
import { parseMapping } from '../subjects/mapping.ts'
import { openSubject } from '../subjects/subject.ts'
import { short } from '../subjects/wording.ts'
import type { RunRecord, Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import { defineAction, pathField } from './action.ts'
import { finishedRun } from './finishedRun.ts'
import { formatTable } from './table.ts'
import type { GalleryPlace } from './galleryEmbeddings.ts'
import { embedGallery, galleryPlace } from './galleryEmbeddings.ts'
import type { RunPack } from './runPack.ts'
import { choosePack, runNetworks } from './runPack.ts'
import { runConfig } from './train.ts'

export interface Decoded {
  run: string
  fold: number
  /** What the trials were read from, in words. */
  source: string
  trials: number
  /** Numbers per embedding. */
  width: number
  gallery: { from: string; images: number }
  top: number
  /** The most similar images of the gallery for each trial, most similar first. */
  decoded: { trial: number; found: { stimulus: string; similarity: number }[] }[]
  /** What may be wrong with the trials. */
  warnings: string[]
  /** Folder with embeddings.npy, neighbours.tsv and decoded.json. */
  out?: string
}

export const decodeAction = defineAction({
  name: 'decode',
  summary: 'Decode new trials whose images nobody knows: embeddings, and the most similar images of a gallery.',
  input: v.object({
    paths: v.pipe(
      v.array(v.string()),
      v.minLength(1),
      v.description('files with the voxels, (trials, V)'),
      pathField(),
    ),
    workspace: v.pipe(v.string(), v.description('the workspace folder')),
    run: v.pipe(v.string(), v.description('id of the run whose decoder to use')),
    map: v.optional(
      v.pipe(
        v.array(v.string()),
        v.description('which array holds the trials, as voxels=NAME, where the files hold several that fit'),
      ),
    ),
    fold: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(0),
        v.description('whose decoder to use, from 0, where the run has several folds'),
      ),
    ),
    pack: v.optional(
      v.pipe(v.string(), v.description('id of the pack that encodes the gallery (default: the one of the run)')),
    ),
    gallery: v.optional(
      v.pipe(
        v.string(),
        v.description('gallery, or folder of images, to retrieve from (default: the subject’s own stimuli)'),
        pathField('id'),
      ),
    ),
    top: v.optional(
      v.pipe(v.number(), v.integer(), v.minValue(1), v.description('how many of the most similar images to name')),
      5,
    ),
    out: v.optional(
      v.pipe(
        v.string(),
        v.description('a new folder for embeddings.npy, neighbours.tsv and decoded.json'),
        pathField(),
      ),
    ),
  }),
  positional: ['paths'],
  async run(ctx, input, options): Promise<Decoded> {
    const workspace = await ctx.workspace(input.workspace)
    const run = finishedRun(workspace, input.run)
    const fold = chooseFold(run, input.fold)
    const out = input.out === undefined ? undefined : resolve(input.out)
    if (out !== undefined && existsSync(out))
      throw new MindEyeError({
        kind: 'input',
        where: '--out',
        expected: 'a folder that does not exist yet',
        found: out,
        fix: 'Choose another name.',
      })
    const temporary = mkdtempSync(join(tmpdir(), 'mindeye-decode-'))
    const staged = out === undefined ? undefined : stageFolder(out)
    try {
      const subjectFolder = workspace.subjects.get(run.subject).folder
      const job = { runFolder: workspace.runs.folderOf(run.id), subjectFolder, temporary, folder: staged?.folder }
      const paths = input.paths.map((path) => resolve(path))
      const pack = input.pack === undefined ? runConfig(run).pack : choosePack(workspace, input.pack)
      const networks = runNetworks(runConfig(run).training, pack)
      const request = { ...input, paths, map: parseMapping(input.map ?? []), networks, pack }
      const { trials, names, answer } = await decode(ctx, workspace, run, fold, request, job, options)
      const decoded: Decoded = {
        run: run.id,
        fold,
        source: trials.source,
        trials: trials.count,
        width: answer.width,
        gallery: { from: input.gallery ?? `stimuli of ${run.subject}`, images: answer.gallery },
        top: answer.neighbours.k,
        decoded: listed(answer, names),
        warnings: warningsOf(trials, answer, run),
        out,
      }
      if (staged) {
        writeFileAtomic(join(staged.folder, 'neighbours.tsv'), neighbourTable(decoded))
        writeFileAtomic(join(staged.folder, 'decoded.json'), `${JSON.stringify(decoded, null, 2)}\n`)
        staged.commit()
      }
      return decoded
    } finally {
      staged?.discard()
      rmSync(temporary, { recursive: true, force: true })
    }
  },
  format: ({ run, source, trials, width, gallery, decoded, top, warnings, out }) => {
    const rows = decoded.map(({ trial, found }) => [
      `${trial}`,
      ...found.map(({ stimulus, similarity }) => `${stimulus} (${similarity.toFixed(3)})`),
    ])
    return [
      `${run} · ${trials} trials from ${source} · embeddings of ${width} numbers · gallery of ${gallery.images} images (${gallery.from})`,
      '',
      formatTable(['TRIAL', ...Array.from({ length: top }, (_, k) => `${k + 1}`)], rows),
      '',
      'In brackets the cosine similarity. Whether an image is the one that was seen is not known here, so there is no score.',
      ...warnings.map((warning) => `warning: ${warning}`),
      ...(out ? [`embeddings.npy, neighbours.tsv and decoded.json are in ${out}`] : []),
    ].join('\n')
  },
})

interface Request {
  paths: string[]
  map: Record<string, string>
  gallery?: string
  top: number
  networks: Networks
  pack?: RunPack
}

interface Places {
  runFolder: string
  subjectFolder: string
  /** For what the reader hands to the engine. */
  temporary: string
  /** For the embeddings, when they are kept. */
  folder?: string
}

/** Files are parsed in the reader process and go to the engine process as plain .npy. */
async function decode(
  ctx: ActionContext,
  workspace: Workspace,
  run: RunRecord,
  fold: number,
  { paths, map, gallery, top, networks, pack }: Request,
  { runFolder, subjectFolder, temporary, folder }: Places,
  { signal, progress: onProgress }: RunOptions,
) {
  const subject = await openSubject(subjectFolder)
  subject.close()
  const { voxelCount } = subject.manifest
  const reading = { signal, onProgress }
  const voxels = join(temporary, 'voxels.npy')
  const trials = await ctx.reader().call('newTrials', { paths, map, voxelCount, file: voxels }, reading)
  const place = gallery === undefined ? undefined : await findGallery(ctx, workspace, gallery, temporary, reading)
  const embedded =
    place && (await embedGallery(ctx, workspace, run, place, { signal, progress: onProgress }, { pack, folds: [fold] }))
  const names = place?.images.map(({ name }) => name) ?? subject.stimuli.ids
  const job = {
    runFolder,
    fold,
    config: runConfig(run).training,
    networks,
    voxels,
    gallery: embedded ? { embeddings: embedded.embeddings[0], hashes: embedded.hashes } : { subjectFolder },
    top,
    embeddings: folder && join(folder, 'embeddings.npy'),
  }
  const answer = await ctx.engine().call('decode', job, reading)
  return { trials, names, answer }
}

/** A gallery of the workspace, or a folder whose embeddings last as long as the command. */
async function findGallery(
  ctx: ActionContext,
  workspace: Workspace,
  gallery: string,
  temporary: string,
  reading: CallOptions,
): Promise<GalleryPlace> {
  if (workspace.galleries.has(gallery)) return galleryPlace(workspace, gallery)
  const folder = resolve(gallery)
  return { folder, cache: temporary, ...(await ctx.reader().call('listGallery', { folder }, reading)) }
}

function chooseFold(run: RunRecord, chosen?: number): number {
  const folds = Number(run.summary.folds)
  if (folds === 1 && chosen === undefined) return 0
  if (chosen !== undefined && chosen < folds) return chosen
  throw new MindEyeError({
    kind: 'input',
    where: '--fold',
    expected: folds > 1 ? `0 to ${folds - 1}: each of the ${folds} folds has a decoder of its own` : '0, the only fold',
    found: chosen === undefined ? 'nothing' : `${chosen}`,
  })
}

function listed({ neighbours: { k, index, similarity } }: DecodedTrials, names: readonly string[]): Decoded['decoded'] {
  return Array.from({ length: index.length / k }, (_, trial) => ({
    trial,
    found: Array.from(index.subarray(trial * k, (trial + 1) * k), (image, place) => ({
      stimulus: names[image],
      similarity: similarity[trial * k + place],
    })),
  }))
}

function warningsOf(trials: { notFinite: number }, { z }: DecodedTrials, run: RunRecord): string[] {
  const warnings: string[] = []
  if (trials.notFinite)
    warnings.push(`${trials.notFinite} values are NaN or infinite; the training mean stands for them.`)
  if (Math.abs(z.mean) > 0.5 || z.sd < 0.5 || z.sd > 2)
    warnings.push(
      `On the scale of the training trials (mean 0, SD 1) these have mean ${short(z.mean)} and SD ${short(z.sd)}: they may be in other units, or preprocessed in another way.`,
    )
  if (runConfig(run).training.zscore === 'session')
    warnings.push(
      'The run z-scored session by session; of new trials the session is unknown, so the statistics over all training trials are used.',
    )
  return warnings
}

/** One line per trial and place. */
function neighbourTable({ decoded }: Decoded): Uint8Array {
  const rows = decoded.flatMap(({ trial, found }) => found.map((one, k) => ({ trial, place: k + 1, ...one })))
  return encodeTable({
    trial: rows.map(({ trial }) => trial),
    place: rows.map(({ place }) => place),
    stimulus: rows.map(({ stimulus }) => stimulus),
    similarity: rows.map(({ similarity }) => similarity),
  })
}
