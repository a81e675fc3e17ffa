import { Hono } from 'hono'
import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import { gallerySheet, sheetShape } from '../../actions/gallery.ts'
import { MindEyeError } from '../../base/errors.ts'
import type { GalleryRecord } from '../../workspace/index.ts'
import { queryOf, wholeNumber } from '../query.ts'
import type { Services } from '../services.ts'
import { MadeLately, tagged } from '../tagged.ts'

/** A gallery and where its thumbnails lie on its sheets, row after row. */
export interface GalleryDetail extends Omit<GalleryRecord, 'version'> {
  /** Changes when the gallery is added anew: `?v=` of its pictures. */
  version: string
  tile: number
  columns: number
  perSheet: number
}

const KEPT_BYTES = 32 * 2 ** 20
const largeQuery = v.object({
  size: v.optional(v.pipe(wholeNumber(16), v.maxValue(1024)), '256'),
  v: v.optional(v.string()),
})
const rangeQuery = v.object({
  start: v.optional(wholeNumber(), '0'),
  count: v.optional(v.pipe(wholeNumber(1), v.maxValue(1024)), '128'),
  v: v.optional(v.string()),
})

/** Galleries of the workspace: their records, thumbnails in sheets, names, and single pictures. */
export const galleryRoutes = ({ workspace, ctx }: Services) => {
  const { galleries } = workspace
  const pictures = new MadeLately(KEPT_BYTES)
  const detail = (gallery: GalleryRecord): GalleryDetail => ({
    ...gallery,
    ...sheetShape,
    version: Date.parse(gallery.added).toString(36),
  })
  const indexIn = (gallery: GalleryRecord, text: string, most: number): number => {
    const index = Number.parseInt(text, 10)
    if (index < most) return index
    throw new MindEyeError({ kind: 'input', where: gallery.id, expected: `a number below ${most}`, found: text })
  }

  return new Hono()
    .get('/', (c) => c.json(galleries.list().map(detail), 200, { 'Cache-Control': 'no-store' }))
    .get('/:id', (c) => c.json(detail(galleries.get(c.req.param('id'))), 200, { 'Cache-Control': 'no-store' }))
    .get('/:id/names', (c) => {
      const gallery = galleries.get(c.req.param('id'))
      const { start, count } = queryOf(c, rangeQuery)
      return tagged(
        c,
        'application/json',
        `names-${gallery.id}-${detail(gallery).version}-${start}-${count}`,
        async () =>
          JSON.stringify(
            galleries
              .images(gallery)
              .slice(start, start + count)
              .map(({ name }) => name),
          ),
      )
    })
    .get('/:id/sheets/:file{[0-9]+\\.jpg}', (c) => {
      const gallery = galleries.get(c.req.param('id'))
      const sheet = indexIn(gallery, c.req.param('file'), Math.ceil(gallery.images / sheetShape.perSheet))
      return tagged(c, 'image/jpeg', `sheet-${gallery.id}-${detail(gallery).version}-${sheet}`, async () => {
        const { file } = await gallerySheet(ctx, workspace, gallery, sheet)
        return Uint8Array.from(await readFile(file))
      })
    })
    .get('/:id/images/:file{[0-9]+\\.jpg}', (c) => {
      const gallery = galleries.get(c.req.param('id'))
      const index = indexIn(gallery, c.req.param('file'), gallery.images)
      const { size } = queryOf(c, largeQuery)
      const tag = `image-${gallery.id}-${detail(gallery).version}-${index}-${size}`
      return tagged(c, 'image/jpeg', tag, () =>
        pictures.get(tag, async () => {
          const images = galleries.images(gallery).slice(index, index + 1)
          const { jpeg } = await ctx.reader().call('galleryPicture', { folder: gallery.folder, images, side: size })
          return Uint8Array.from(jpeg)
        }),
      )
    })
}
