import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError, formatError } from '../base/errors.ts'
import { removeFolder, stageFolder } from '../base/files.ts'
import { encodeTable, openTable } from '../formats/table.ts'
import { openFile } from '../formats/source.ts'
import { checkId, readChanged } from './mirror.ts'
import type { GalleryRecord } from './records.ts'

export type NewGallery = Pick<GalleryRecord, 'folder' | 'fingerprint'> & { images: readonly GalleryImage[] }

/** A picture of a gallery, by its path below the gallery's folder, and the bytes it had when it was registered. */
export interface GalleryImage {
  name: string
  size: number
}

/**
 * The registered folders of images: `galleries/ID/gallery.json` says where one lies, `images.tsv` what was in it; the images stay
 * where they are. `galleries/ID/cache` holds thumbnails and embeddings and may be deleted at any time.
 */
export class Galleries {
  readonly folder: string
  /** Lists that were asked for: those of big galleries take a tenth of a second to read. */
  private readonly lists = new Map<string, { added: string; images: GalleryImage[] }>()

  constructor(root: string) {
    this.folder = join(root, 'galleries')
  }

  list(): GalleryRecord[] {
    const { changed } = readChanged(this.folder, 'gallery.json', new Map())
    return changed
      .map(({ id, content }) => ({ ...(content as unknown as GalleryRecord), id }))
      .sort((a, b) => a.id.localeCompare(b.id))
  }

  has(id: string): boolean {
    return this.list().some((gallery) => gallery.id === id)
  }

  /** Throws a `MindEyeError` that names the galleries there are. */
  get(id: string): GalleryRecord {
    const all = this.list()
    const gallery = all.find((one) => one.id === id)
    if (gallery) return gallery
    throw new MindEyeError({
      kind: 'input',
      where: '--gallery',
      expected: all.length ? `one of ${all.map((one) => one.id).join(', ')}` : 'a registered gallery',
      found: `'${id}'`,
      fix: 'Register a folder of images with `mindeye gallery add FOLDER --workspace W`.',
    })
  }

  /** Its images, in the order of their numbers. */
  images({ id, images: count, added }: GalleryRecord): GalleryImage[] {
    const known = this.lists.get(id)
    if (known?.added === added) return known.images
    const path = join(this.folder, id, 'images.tsv')
    const source = openFile(path)
    try {
      const table = openTable(source)
      const sizes = table.numbers('size')
      if (sizes.length !== count) throw formatError(path, 'rows', `${count}`, `${sizes.length}`)
      const images = table.text('name').map((name, i) => ({ name, size: sizes[i] }))
      this.lists.set(id, { added, images })
      return images
    } finally {
      source.close()
    }
  }

  cacheOf(id: string): string {
    return join(this.folder, id, 'cache')
  }

  /** Registers a gallery under a new id, durably. */
  add(id: string, { folder, fingerprint, images }: NewGallery): GalleryRecord {
    checkId(id, '--as')
    const staged = stageFolder(join(this.folder, id))
    try {
      const added = new Date().toISOString()
      const content = { version: 1, added, folder, fingerprint, images: images.length }
      writeFileSync(join(staged.folder, 'gallery.json'), `${JSON.stringify(content, undefined, 2)}\n`)
      const columns = { name: images.map(({ name }) => name), size: images.map(({ size }) => size) }
      writeFileSync(join(staged.folder, 'images.tsv'), encodeTable(columns))
      staged.commit()
    } catch (error) {
      staged.discard()
      throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? taken(id) : error
    }
    return this.get(id)
  }

  /** Forgets a gallery, with its caches; its images are not ours and stay. */
  remove(id: string): void {
    this.get(id)
    removeFolder(join(this.folder, id))
  }
}

function taken(id: string): MindEyeError {
  return new MindEyeError({
    kind: 'input',
    where: '--as',
    expected: 'an id that is not taken',
    found: `'${id}', which is a gallery of this workspace`,
    fix: 'Choose another id with `--as`, or remove that one with `mindeye gallery remove`.',
  })
}
