import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { writeFileAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import { rowsThere, writeRows } from '../formats/growingNpy.ts'
import type { EmbeddedGallery } from '../retrieval/galleryAnswers.ts'
import type { ImageShape } from '../subjects/pictures.ts'
import { readManifest } from '../subjects/subject.ts'
import type { TrainingConfig } from '../training/fields.ts'
import { foldFiles } from '../training/foldFiles.ts'
import { foldFolder } from '../training/foldTest.ts'
import type { GalleryImage, RunRecord, Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import type { RunPack } from './runPack.ts'
import { runNetworks } from './runPack.ts'
import { runConfig } from './train.ts'

/** Pictures on their way from the reader to the engine, and the most of them at a time. */
const SLICE_BYTES = 64 * 2 ** 20
const MOST_IN_SLICE = 256

/** A folder of images as listed, and where what is computed of it may lie. */
export interface GalleryPlace {
  folder: string
  images: readonly GalleryImage[]
  fingerprint: string
  cache: string
}

/** A registered gallery as a place. */
export function galleryPlace(workspace: Workspace, id: string): GalleryPlace {
  const gallery = workspace.galleries.get(id)
  const { folder, fingerprint } = gallery
  return { folder, fingerprint, images: workspace.galleries.images(gallery), cache: workspace.galleries.cacheOf(id) }
}

/** Which pack encodes, where it is not the run's own. */
export interface EmbedOptions {
  pack?: RunPack
  folds?: readonly number[]
}

/** Files that say how a run's encoders see a gallery; whether they are there yet is another question. */
export function embeddedGallery(
  workspace: Workspace,
  run: RunRecord,
  { cache }: GalleryPlace,
  { pack, folds }: EmbedOptions = {},
): EmbeddedGallery & { image: ImageShape; encoders: string[] } {
  const { training, pack: own } = runConfig(run)
  const { image } = readManifest(workspace.subjects.get(run.subject).folder)
  const size = `${image.width}x${image.height}x${image.channels}`
  const chosen = folds ?? Array.from({ length: Number(run.summary.folds) }, (_, fold) => fold)
  const encoders = chosen.map((fold) => foldFiles(foldFolder(workspace.runs.folderOf(run.id), fold)).encoder)
  const embeddings = encoders.map((file) =>
    join(cache, 'embeddings', `${encoderKey(training, pack ?? own, file)}-${size}.npy`),
  )
  return { embeddings, hashes: join(cache, 'embeddings', `hashes-${size}.npy`), image, encoders }
}

/** One word for one way of seeing pictures. */
function encoderKey(config: TrainingConfig, pack: RunPack | undefined, file: string): string {
  const short = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex').slice(0, 12)
  const pretrained = config.method === 'low-level' ? 'latents' : config.targets === 'clip' ? 'clip' : undefined
  if (pretrained)
    return `${pretrained}-${config.tokens}x${config.width}-${short(`${pack?.fingerprint} ${config.tokens} ${config.width}`)}`
  return `study-${config.width}-${short(readFileSync(file))}-${config.encoderPixels}`
}

/** Whether a gallery is embedded for a run already. */
export const isEmbedded = ({ embeddings, hashes }: EmbeddedGallery): boolean =>
  [hashes, ...embeddings].every((file) => existsSync(file))

/**
 * Embeds a gallery with the encoders of a run, once for each encoder: the reader process decodes a slice of pictures while an
 * engine process embeds the one before, so that no more than two slices exist and a later call goes on where this one ended.
 */
export async function embedGallery(
  ctx: ActionContext,
  workspace: Workspace,
  run: RunRecord,
  place: GalleryPlace,
  { signal, progress }: RunOptions,
  options: EmbedOptions = {},
): Promise<EmbeddedGallery> {
  const { training: config, pack } = runConfig(run)
  const networks = runNetworks(config, options.pack ?? pack)
  const { image, encoders: files, ...embedded } = embeddedGallery(workspace, run, place, options)
  if (isEmbedded(embedded)) return embedded
  const { folder, images, fingerprint, cache } = place
  const count = images.length
  const wanted = new Map(embedded.embeddings.map((path, i) => [path, files[i]]))
  const encoders = [...wanted].flatMap(([embeddings, encoder]) =>
    existsSync(embeddings) ? [] : [{ embeddings, encoder }],
  )
  mkdirSync(dirname(embedded.hashes), { recursive: true })
  checkSpace(cache, encoders.length * count * config.tokens * config.width * 4)

  const rows = Math.max(
    1,
    Math.min(MOST_IN_SLICE, Math.floor(SLICE_BYTES / (image.height * image.width * image.channels))),
  )
  const done = Math.min(...[embedded.hashes, ...encoders.map((one) => one.embeddings)].map((f) => rowsThere(f, count)))
  const temporary = mkdtempSync(join(tmpdir(), 'mindeye-gallery-'))
  const engine = ctx.ownEngine()
  /** Reads the slice from `first` on into one of two files, so that it can be read while the other is embedded. */
  const read = async (first: number): Promise<ReadSlice> => {
    const file = join(temporary, `pictures-${(first / rows) % 2}.npy`)
    const some = images.slice(first, first + rows)
    const { hashes } = await ctx.reader().call('gallerySlice', { folder, images: some, image, file }, { signal })
    return { first, file, hashes, end: first + some.length }
  }
  try {
    let next: Promise<ReadSlice> | undefined = read(done - (done % rows))
    while (next) {
      const { first, file, hashes, end }: ReadSlice = await next
      next = end < count ? read(end) : undefined
      next?.catch(() => {}) // it is awaited in the next round, unless this one fails first
      const slice = { config, networks, pictures: file, first, count, encoders }
      await engine.call('embedGallerySlice', slice, { signal })
      writeRows(embedded.hashes, 'uint8', [count, hashes.length / (end - first)], first, hashes)
      progress({ phase: 'embed the gallery', done: end, total: count })
    }
    for (const { embeddings } of encoders) writeOrigin(embeddings)
    return embedded
  } finally {
    await engine.close()
    rmSync(temporary, { recursive: true, force: true })
  }

  /** What made the embeddings, beside them. */
  function writeOrigin(path: string): void {
    const origin = { gallery: fingerprint, folder, images: count, image, run: run.id, pack: options.pack ?? pack }
    writeFileAtomic(path.replace(/\.npy$/, '.json'), `${JSON.stringify(origin, undefined, 2)}\n`)
  }
}

interface ReadSlice {
  first: number
  end: number
  file: string
  /** (end - first, 16). */
  hashes: Uint8Array
}

function checkSpace(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize > bytes) return
  const gigabytes = (n: number) => `${(n / 1e9).toFixed(1)} GB`
  throw new MindEyeError({
    kind: 'state',
    where: folder,
    expected: `${gigabytes(bytes)} of free space for the gallery’s embeddings`,
    found: gigabytes(bavail * bsize),
    fix: 'Free some space, or take a run with fewer tokens (the preset paper-1x768 has one).',
  })
}
