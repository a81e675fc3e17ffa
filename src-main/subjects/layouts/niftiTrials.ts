import { basename, dirname } from 'node:path'
import { formatError, MindEyeError } from '../../base/errors.ts'
import { openNifti } from '../../formats/nifti.ts'
import { openFile } from '../../formats/source.ts'
import type { Table } from '../../formats/table.ts'
import type { Inventory, SourceFile } from '../inventory.ts'
import { arrayPictures, filePictures, imageFinder, type Pictures } from '../pictures.ts'
import type { Layout, Mapping, Study } from '../study.ts'
import { emptyTrials } from '../tables.ts'
import { findMasks, maskedPositions } from './volumeMasks.ts'

const STIMULUS_COLUMNS = [
  'stim_file',
  'stimulus',
  'stimulus_id',
  'image',
  'image_id',
  'image_file',
  'image_name',
  '73k_id',
  '73KID',
]
const PART_COLUMNS = ['part', 'split', 'set']
const FILE_COLUMNS = ['beta_file', 'betas', 'file', 'filename']
const isNothing = (cell: string): boolean => cell === '' || cell === 'n/a'

interface Events {
  file: SourceFile
  table: Table
  column: string
  /** Rows that show a stimulus. */
  rows: number[]
}

interface Found {
  events: Events
  grid: [number, number, number]
  /** The volume of each trial. */
  volumes: { file: SourceFile; index: number }[]
  files: SourceFile[]
  words: string
}

function findEvents(inventory: Inventory): Events[] {
  // Any prose with a comma in its first line could be a table; BIDS calls tables by their names.
  const files = inventory.ofFormat('table').filter(({ name }) => /\.[tc]sv$/i.test(name))
  return files.flatMap((file) => {
    const table = inventory.table(file)
    const column = STIMULUS_COLUMNS.find((name) => table.columns.includes(name))
    if (!column) return []
    const cells = table.text(column)
    return [{ file, table, column, rows: [...cells.keys()].filter((row) => !isNothing(cells[row])) }]
  })
}

/** Grid and number of volumes, without keeping the file open: there may be thousands. */
function headerOf(file: SourceFile): { grid: [number, number, number]; volumes: number } {
  const nifti = openNifti(openFile(file.path))
  nifti.close()
  return { grid: nifti.volumeShape, volumes: nifti.volumeCount }
}

const saysMask = ({ name, path }: SourceFile): boolean =>
  /mask|roi|atlas|nsdgeneral/i.test(name) || basename(dirname(path)) === 'roi'

function findTrials(inventory: Inventory): Found | null {
  const all = findEvents(inventory)
  const niftis = all.length ? inventory.ofFormat('nifti') : []
  const headers = niftis.map((file) => ({ file, ...headerOf(file) }))
  for (const events of all) {
    const n = events.rows.length
    const whole = headers.find(({ volumes }) => volumes > 1 && volumes === n)
    if (whole) {
      const volumes = events.rows.map((_, index) => ({ file: whole.file, index }))
      return { events, grid: whole.grid, volumes, files: [whole.file], words: `the ${n} volumes of ${whole.file.name}` }
    }
    const single = headers.filter(({ file, volumes }) => volumes === 1 && !saysMask(file))
    const files = singleFiles(
      events,
      single.map(({ file }) => file),
    )
    if (files) {
      const { grid } = single.find(({ file }) => file === files[0])!
      return {
        events,
        grid,
        volumes: files.map((file) => ({ file, index: 0 })),
        files,
        words: `${n} files of one volume`,
      }
    }
  }
  return null
}

/** One file per trial: as the events name them, else in the order of their names. */
function singleFiles({ table, rows }: Events, files: SourceFile[]): SourceFile[] | undefined {
  const column = FILE_COLUMNS.find((name) => table.columns.includes(name))
  if (!column) return files.length === rows.length && rows.length > 1 ? files : undefined
  const cells = table.text(column)
  const named = rows.map((row) => files.find(({ name }) => name === basename(cells[row])))
  return named.every((file) => file !== undefined) ? named : undefined
}

/** Pictures by the cells of the stimulus column: image files of that name, or rows of an array mapped as `stimuli`. */
async function findPictures(
  inventory: Inventory,
  map: Mapping,
  { file, column }: Events,
  distinct: string[],
): Promise<{ pictures: Pictures; sources: string[] }> {
  if (map.stimuli) {
    const { file: source, entry } = await inventory.find(map.stimuli)
    const all = arrayPictures([entry], map.pixels === 'columns' ? 'columns' : 'rows', source.name)
    const rows = distinct.map(Number)
    const bad = rows.findIndex((row) => !(Number.isInteger(row) && row >= 0 && row < all.count))
    if (bad >= 0) throw formatError(file.name, column, `a row of ${entry.name}, 0 to ${all.count - 1}`, distinct[bad])
    const read = (indices: ArrayLike<number>) => all.read(Array.from(indices, (i) => rows[i]))
    return { pictures: { ...all, count: rows.length, read }, sources: [source.path] }
  }
  const fileOf = imageFinder(inventory)
  const files = distinct.map((name) => {
    const found = fileOf(name)
    if (!found)
      throw new MindEyeError({
        kind: 'input',
        where: file.name,
        field: column,
        expected: `an image file called ${name}`,
        found: `${inventory.images().length} image files, none of that name`,
        fix: 'Add the folder of stimulus pictures to the paths, or map an array of them: --map stimuli=NAME.',
      })
    return found
  })
  return { pictures: await filePictures(files), sources: files.map(({ path }) => path) }
}

function partOf(text: string): number {
  return /^(train|training|val|validation)$/i.test(text) ? 0 : /^test(ing)?$/i.test(text) ? 1 : -1
}

/** Single-trial betas as NIfTI (one 4-D file, or one 3-D file per trial), a mask on the same grid, and a table of events. */
export const niftiTrials: Layout = {
  id: 'nifti-trials',
  title: 'Trial-wise NIfTI betas with events',

  async recognise(inventory) {
    const found = findTrials(inventory)
    return found
      ? { confidence: 0.7, explanation: `${found.words}, one per stimulus row of ${found.events.file.name}` }
      : null
  },

  async open(inventory, map): Promise<Study> {
    const found = findTrials(inventory)
    if (!found) throw inventory.missing('NIfTI betas and an events table with as many stimulus rows as volumes')
    const { events, grid, volumes, files } = found
    const { table, rows } = events
    const paths = files.map(({ path }) => path)
    const masks = findMasks(inventory, grid, paths)
    const cells = rows.map((row) => table.text(events.column)[row])
    const distinct = [...new Set(cells)].sort()
    const { pictures, sources } = await findPictures(inventory, map, events, distinct)

    const trials = emptyTrials(rows.length)
    const place = new Map(distinct.map((name, i) => [name, i]))
    cells.forEach((cell, t) => (trials.stimulus[t] = place.get(cell)!))
    const partColumn = PART_COLUMNS.find((name) => table.columns.includes(name))
    if (partColumn) {
      const parts = table.text(partColumn)
      rows.forEach((row, t) => (trials.part[t] = partOf(parts[row])))
    }
    const whole = (name: string) => {
      if (!table.columns.includes(name)) return undefined
      const values = table.numbers(name)
      return Int32Array.from(rows, (row) => (Number.isInteger(values[row]) ? values[row] : -1))
    }
    const session = whole('session')
    const run = whole('run')
    if (session) trials.session.set(session)
    // Runs count anew in each session.
    if (run) trials.run.set(run.map((r, t) => (session && r >= 0 ? session[t] * 1000 + r : r)))

    const V = masks.voxels.length
    const single = files.length === 1 ? inventory.nifti(files[0]) : undefined
    const readVolume = (t: number) => {
      if (single) return single.readVolume(volumes[t].index)
      const nifti = openNifti(openFile(volumes[t].file.path))
      try {
        if (nifti.volumeShape.join() !== grid.join())
          throw formatError(volumes[t].file.name, 'volume', grid.join(' x '), nifti.volumeShape.join(' x '))
        return nifti.readVolume(0)
      } finally {
        nifti.close()
      }
    }
    return {
      name: basename(dirname(events.file.path)),
      sources: [...new Set([...paths, events.file.path, ...masks.sources, ...sources])],
      trials,
      stimuli: { ids: distinct },
      voxelCount: V,
      image: pictures.image,
      readVoxels(start, stop) {
        const out = new Float32Array((stop - start) * V)
        for (let t = start; t < stop; t++) {
          const { data } = readVolume(t)
          for (let v = 0; v < V; v++) out[(t - start) * V + v] = Number(data[masks.voxels[v]])
        }
        return out
      },
      readImages: (start, stop) => pictures.read(Array.from({ length: stop - start }, (_, i) => start + i)),
      rois: masks.rois,
      positions: maskedPositions(masks),
      volume: { shape: [...grid], affine: masks.affine.flat() },
      checks: () => [
        {
          code: 'nifti.events',
          level: 'note',
          ok: true,
          title: 'Events and volumes',
          expected: 'one stimulus row per volume',
          found: `${rows.length} rows of ${events.file.name} (${events.column}), ${found.words}`,
          detail: '',
        },
        {
          code: 'nifti.mask',
          level: 'note',
          ok: true,
          title: 'Voxels taken',
          expected: 'the voxels of a mask on the same grid',
          found: `${V} of ${grid.join(' x ')}, ${masks.chosen}`,
          detail: '',
        },
      ],
    }
  },
}
