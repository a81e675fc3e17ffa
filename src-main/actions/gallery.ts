import * as v from 'valibot'
import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { makeFolders } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import type { SheetShape } from '../subjects/galleryPictures.ts'
import type { GalleryRecord, Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import { defineAction, pathField } from './action.ts'
import { runJob } from './job.ts'
import { formatTable } from './table.ts'
import { discardUnused } from './uploads.ts'

export type GalleryResult =
  | { galleries: GalleryRecord[] }
  | { gallery: GalleryRecord; damaged?: string[]; changed?: boolean; problem?: string }
  | { removed: string }

/** Thumbnails of 96 pixels, 16 to a row and 8 rows to a sheet: a screenful is on two or three sheets of 0.3 MB. */
export const sheetShape: SheetShape & { perSheet: number } = { tile: 96, columns: 16, perSheet: 128 }

/** Registers folders of images to retrieve from. */
export const galleryAction = defineAction({
  name: 'gallery',
  summary: 'Register folders of images to retrieve from (add, list, show, remove).',
  ownJob: true,
  input: v.pipe(
    v.object({
      do: v.pipe(v.picklist(['add', 'list', 'show', 'remove']), v.description('what to do')),
      target: v.optional(
        v.pipe(v.string(), v.description('the folder, for add; the id, for show and remove'), pathField('id')),
      ),
      workspace: v.pipe(v.string(), v.description('the workspace folder')),
      as: v.optional(v.pipe(v.string(), v.description('id under which to add it (default: the name of its folder)'))),
    }),
    v.forward(
      v.check((input) => input.do === 'list' || input.target !== undefined, 'a folder for add, an id for the rest'),
      ['target'],
    ),
  ),
  positional: ['do', 'target'],
  async run(ctx, { do: what, target = '', workspace: path, as }, options): Promise<GalleryResult> {
    const workspace = await ctx.workspace(path, { create: what === 'add' })
    const { galleries } = workspace
    if (what === 'list') return { galleries: galleries.list() }
    if (what === 'add') return addGallery(ctx, workspace, resolve(target), as, options)
    const gallery = galleries.get(target)
    if (what === 'remove') {
      galleries.remove(target)
      // What was dropped in a browser lies in the workspace, and goes when nothing else is made of it.
      const upload = workspace.uploads.groupOf(gallery.folder)
      if (upload) discardUnused(workspace, upload)
      return { removed: target }
    }
    try {
      const call = { signal: options.signal, onProgress: options.progress }
      const { fingerprint } = await ctx.reader().call('listGallery', { folder: gallery.folder }, call)
      return { gallery, changed: fingerprint !== gallery.fingerprint }
    } catch (error) {
      if (options.signal.aborted) throw error
      // A gallery on a disk that is not there now is still one of the workspace.
      return { gallery, problem: (error as Error).message }
    }
  },
  format(result) {
    if ('removed' in result) return `removed ${result.removed}; its images stay where they are`
    if ('galleries' in result) {
      if (!result.galleries.length)
        return 'No galleries yet. Register one with `mindeye gallery add FOLDER --workspace W`.'
      const rows = result.galleries.map((g) => [g.id, g.images.toLocaleString('en'), g.added.slice(0, 10), g.folder])
      return formatTable(['GALLERY', 'IMAGES', 'ADDED', 'FOLDER'], rows)
    }
    const { gallery, damaged = [], changed, problem } = result
    return [
      `${gallery.id}  ${gallery.images.toLocaleString('en')} images in ${gallery.folder}, added ${gallery.added.slice(0, 10)}`,
      ...(changed ? ['It has changed since it was added: remove it and add it again.'] : []),
      ...(problem ? [`warning: ${problem}`] : []),
      ...(damaged.length ? [`warning: ${damaged.length} are damaged and will not be found, e.g. ${damaged[0]}`] : []),
    ].join('\n')
  },
})

/** Lists the folder, registers it and makes its thumbnails; called again for the same folder, it goes on with them. */
async function addGallery(
  ctx: ActionContext,
  workspace: Workspace,
  folder: string,
  as: string | undefined,
  options: RunOptions,
): Promise<GalleryResult> {
  const id = as ?? idFrom(folder)
  return runJob(
    workspace,
    { action: 'gallery', input: { do: 'add', target: folder, as: id } },
    options,
    async (job) => {
      const { signal, progress } = job.options
      const { images, fingerprint } = await ctx
        .reader()
        .call('listGallery', { folder }, { signal, onProgress: progress })
      const { galleries } = workspace
      const known = galleries.list().find((one) => one.id === id)
      const isSame = known?.folder === folder && known.fingerprint === fingerprint
      const gallery = isSame ? known : galleries.add(id, { folder, fingerprint, images })
      const damaged: string[] = []
      const sheets = Math.ceil(images.length / sheetShape.perSheet)
      for (let sheet = 0; sheet < sheets; sheet++) {
        damaged.push(...(await gallerySheet(ctx, workspace, gallery, sheet, signal)).damaged)
        const done = Math.min(images.length, (sheet + 1) * sheetShape.perSheet)
        progress({ phase: 'make thumbnails', done, total: images.length })
      }
      for (const name of damaged.slice(0, 20)) job.log(`damaged, will not be found: ${name}`)
      return { gallery, damaged }
    },
  )
}

/** The file with the thumbnails of one sheet, made when it is not there. */
export async function gallerySheet(
  ctx: ActionContext,
  workspace: Workspace,
  gallery: GalleryRecord,
  sheet: number,
  signal?: AbortSignal,
): Promise<{ file: string; damaged: string[] }> {
  const { galleries } = workspace
  const { tile, columns, perSheet } = sheetShape
  const sheets = join(galleries.cacheOf(gallery.id), 'sheets')
  const file = join(sheets, `${String(sheet).padStart(5, '0')}.jpg`)
  if (existsSync(file)) return { file, damaged: [] }
  makeFolders(join(galleries.folder, gallery.id), ['cache'])
  makeFolders(galleries.cacheOf(gallery.id), ['sheets'])
  const images = galleries.images(gallery).slice(sheet * perSheet, (sheet + 1) * perSheet)
  const slice = { folder: gallery.folder, images, tile, columns, file }
  const { damaged } = await ctx.reader().call('gallerySheet', slice, { signal })
  return { file, damaged }
}

const idFrom = (folder: string): string =>
  basename(folder)
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '') || 'gallery'
