import { parse } from 'node:path'
import { formatError, MindEyeError } from '../../base/errors.ts'
import type { Hdf5File } from '../../formats/hdf5.ts'
import type { ArrayEntry } from '../../formats/array.ts'
import { readRowList } from '../../formats/rows.ts'
import { type Inventory, type SourceFile, toFloat32 } from '../inventory.ts'
import { arrayPictures, filePictures, imageFinder, type Pictures } from '../pictures.ts'
import type { Layout, Mapping, Roi, Study } from '../study.ts'
import { emptyTrials } from '../tables.ts'

/** bdpy's matrix of samples by columns, and the metadata that says what each column is. */
interface BData {
  file: SourceFile
  hdf5: Hdf5File
  dataset: ArrayEntry
  keys: string[]
  /** (keys, columns); NaN where a key says nothing about a column. */
  values: Float32Array
}

async function findBData(inventory: Inventory): Promise<BData | null> {
  for (const file of inventory.ofFormat('hdf5')) {
    const names = new Set((await inventory.arrays(file)).map((entry) => entry.name))
    // Older versions wrote dataSet and metaData.
    const style = [
      ['dataset', 'metadata'],
      ['dataSet', 'metaData'],
    ].find(([data, meta]) => names.has(data) && names.has(`${meta}/value`))
    if (!style) continue
    const hdf5 = await inventory.hdf5(file)
    const [data, meta] = style
    const dataset = hdf5.array(data)
    const value = hdf5.array(`${meta}/value`)
    const keys = hdf5.strings(`${meta}/key`)
    if (dataset.shape.length !== 2)
      throw formatError(file.name, data, 'a matrix (samples, columns)', `shape [${dataset.shape}]`)
    if (value.shape.length !== 2 || value.shape[0] !== keys.length || value.shape[1] !== dataset.shape[1])
      throw formatError(file.name, `${meta}/value`, `[${keys.length}, ${dataset.shape[1]}]`, `[${value.shape}]`)
    return { file, hdf5, dataset, keys, values: toFloat32(value.read()) }
  }
  return null
}

/** A row of the metadata, one value per column of the dataset. */
function metadataRow({ keys, values, dataset }: BData, key: string): Float32Array | undefined {
  const at = keys.indexOf(key)
  const columns = dataset.shape[1]
  return at < 0 ? undefined : values.subarray(at * columns, (at + 1) * columns)
}

/** Columns that a key marks with 1. */
function columnsOf(data: BData, key: string): number[] {
  const row = metadataRow(data, key)
  return row ? [...row.keys()].filter((column) => row[column] === 1) : []
}

/** The value of a one-column label in every sample; undefined when no key of these marks exactly one column. */
function labelsOf(data: BData, ...keys: string[]): { key: string; values: Float64Array } | undefined {
  for (const key of keys) {
    const columns = columnsOf(data, key)
    if (columns.length !== 1) continue
    const [rows, width] = data.dataset.shape
    const values = new Float64Array(rows)
    forRows(data, (row, at, block) => (values[row] = block[at + columns[0]]), width)
    return { key, values }
  }
  return undefined
}

const BLOCK_VALUES = 16 * 2 ** 20

function forRows(data: BData, visit: (row: number, at: number, block: ArrayLike<number>) => void, width: number): void {
  const rows = data.dataset.shape[0]
  const step = Math.max(1, Math.floor(BLOCK_VALUES / width))
  for (let start = 0; start < rows; start += step) {
    const stop = Math.min(rows, start + step)
    // Labels such as 1443537.022563 need all digits of a double.
    const block = data.dataset.readRows(start, stop).data as Float64Array
    for (let row = start; row < stop; row++) visit(row, (row - start) * width, block)
  }
}

/** `DataType` of the published datasets: 1 training, 2 test with seen pictures; others (imagery) show nothing. */
const partByDataType: Readonly<Record<number, number>> = { 1: 0, 2: 1 }

/** Names by label from bdpy's value maps (`vmap/KEY/LABEL`), which newer files have. */
function valueNames({ hdf5 }: BData, key: string): Map<number, string> {
  const prefix = `vmap/${key}/`
  return new Map(
    hdf5.others
      .filter(({ name, kind }) => name.startsWith(prefix) && kind === 'text')
      .map(({ name }) => [Number(name.slice(prefix.length)), hdf5.strings(name)[0] ?? '']),
  )
}

/** ImageNet ids are kept as numbers in older files: 1443537.022563 is n01443537_22563. */
function imageNetStem(label: number): string {
  const [synset, image = ''] = label.toFixed(6).split('.')
  return `n${synset.padStart(8, '0')}_${Number(image)}`
}

interface Shown {
  pictures: Pictures
  sources: string[]
  ids: string[]
  /** Index into `ids` for each of `labels`; -1 when there is no picture. */
  stimulus: Int32Array
}

/** Pictures by label: from image files named after the stimulus, or from an array mapped as `stimuli` whose rows are the labels. */
async function findPictures(
  inventory: Inventory,
  map: Mapping,
  data: BData,
  label: string,
  labels: Float64Array,
): Promise<Shown> {
  const distinct = [...new Set(labels)].sort((a, b) => a - b)
  if (map.stimuli) {
    const { file, entry } = await inventory.find(map.stimuli)
    const all = arrayPictures([entry], map.pixels === 'columns' ? 'columns' : 'rows', file.name)
    // Label columns of MATLAB origin count from 1.
    const base = distinct[0] >= 1 && distinct.at(-1) === all.count ? 1 : 0
    const rows = Int32Array.from(distinct, (value) => value - base)
    if (rows.some((row) => !(row >= 0 && row < all.count)))
      throw formatError(
        file.name,
        entry.name,
        `a picture for each ${label} ${distinct[0]} to ${distinct.at(-1)}`,
        `${all.count} pictures`,
      )
    const pictures: Pictures = {
      ...all,
      count: rows.length,
      read: (indices) => all.read(Array.from(indices, (i) => rows[i])),
    }
    return { pictures, sources: [file.path], ids: distinct.map(String), stimulus: indexIn(distinct, labels) }
  }
  const names = valueNames(data, label)
  const fileOf = imageFinder(inventory)
  const found = distinct.flatMap((value) => {
    const file = fileOf(names.get(value), String(value), imageNetStem(value))
    return file ? [{ value, file }] : []
  })
  if (!found.length)
    throw new MindEyeError({
      kind: 'input',
      where: data.file.name,
      expected: `pictures named after the ${label} of the trials`,
      found: `${inventory.images().length} image files, none of which fits`,
      fix: 'Add the folder of stimulus pictures to the paths, or map an array of them: --map stimuli=NAME.',
    })
  const pictures = await filePictures(found.map(({ file }) => file))
  return {
    pictures,
    sources: found.map(({ file }) => file.path),
    ids: found.map(({ file }) => parse(file.name).name),
    stimulus: indexIn(
      found.map(({ value }) => value),
      labels,
    ),
  }
}

function indexIn(distinct: number[], labels: Float64Array): Int32Array {
  const place = new Map(distinct.map((value, i) => [value, i]))
  return Int32Array.from(labels, (value) => place.get(value) ?? -1)
}

function roisOf(data: BData, voxels: number[]): Roi[] {
  return data.keys
    .filter((key) => /^ROI_/i.test(key))
    .map((key) => {
      const row = metadataRow(data, key)!
      return { name: key.slice(4), mask: Uint8Array.from(voxels, (column) => (row[column] === 1 ? 1 : 0)) }
    })
}

function positionsOf(data: BData, voxels: number[]): Float32Array<ArrayBuffer> | undefined {
  const axes = ['voxel_x', 'voxel_y', 'voxel_z'].map((key) => metadataRow(data, key))
  if (axes.some((axis) => !axis)) return undefined
  return Float32Array.from(voxels.flatMap((column) => axes.map((axis) => axis![column])))
}

/** Whole-number labels of the kept rows, or nothing when the file has no such key. */
function integers(data: BData, rows: number[], ...keys: string[]): Int32Array | undefined {
  const labels = labelsOf(data, ...keys)
  return labels && Int32Array.from(rows, (row) => labels.values[row])
}

/** bdpy's HDF5: one matrix of voxels, labels and runs side by side, described by metadata; pictures come beside it. */
export const bdpy: Layout = {
  id: 'bdpy',
  title: 'bdpy HDF5',

  async recognise(inventory) {
    const data = await findBData(inventory)
    return data
      ? { confidence: 0.9, explanation: `${data.file.name} holds a dataset with ${data.keys.length} metadata keys` }
      : null
  },

  async open(inventory, map): Promise<Study> {
    const data = await findBData(inventory)
    if (!data) throw inventory.missing('an HDF5 file with dataset and metadata')
    const voxels = columnsOf(data, 'VoxelData')
    if (!voxels.length)
      throw formatError(data.file.name, 'metadata', 'the key VoxelData, which marks voxels', data.keys.join(', '))
    const label = labelsOf(data, 'stimulus_id', 'image_index', 'stimulus_name', 'image_id', 'Image', 'Label')
    if (!label)
      throw formatError(
        data.file.name,
        'metadata',
        'a column of image labels (stimulus_id, image_index …)',
        data.keys.join(', '),
      )
    const shown = await findPictures(inventory, map, data, label.key, label.values)

    // Trials of imagery, and those whose picture is missing, cannot be used.
    const types = labelsOf(data, 'DataType')?.values
    const all = [...label.values.keys()]
    const rows = all.filter((row) => shown.stimulus[row] >= 0 && (!types || types[row] in partByDataType))
    const trials = emptyTrials(rows.length)
    rows.forEach((row, t) => {
      trials.stimulus[t] = shown.stimulus[row]
      if (types) trials.part[t] = partByDataType[types[row]]
    })
    const session = integers(data, rows, 'Session')
    const run = integers(data, rows, 'Run')
    if (session) trials.session.set(session)
    // Runs count anew in each session.
    if (run) trials.run.set(run.map((r, t) => (session ? session[t] * 1000 + r : r)))
    const width = data.dataset.shape[1]
    return {
      name: parse(data.file.name).name,
      sources: [data.file.path, ...new Set(shown.sources)],
      trials,
      stimuli: { ids: shown.ids },
      voxelCount: voxels.length,
      image: shown.pictures.image,
      readVoxels(start, stop) {
        const out = new Float32Array((stop - start) * voxels.length)
        const block = toFloat32(readRowList(data.dataset, rows.slice(start, stop)))
        for (let t = 0; t < stop - start; t++)
          for (let v = 0; v < voxels.length; v++) out[t * voxels.length + v] = block[t * width + voxels[v]]
        return out
      },
      readImages: (start, stop) => shown.pictures.read(Array.from({ length: stop - start }, (_, i) => start + i)),
      rois: roisOf(data, voxels),
      positions: positionsOf(data, voxels),
      checks: () => [
        {
          code: 'bdpy.samples',
          level: 'warning',
          ok: rows.length === all.length,
          title: 'Samples with a picture',
          expected: `${all.length} samples`,
          found: `${rows.length} with a known picture (by ${label.key})`,
          detail: rows.length === all.length ? '' : 'Samples without one (imagery, missing files) were left out.',
        },
        {
          code: 'bdpy.columns',
          level: 'note',
          ok: true,
          title: 'Columns',
          expected: 'voxels marked by VoxelData',
          found: `${voxels.length} of ${width} columns are voxels`,
          detail: '',
        },
      ],
    }
  },
}
