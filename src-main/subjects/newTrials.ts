import { parse } from 'node:path'
import type { ArrayEntry } from '../formats/array.ts'
import { formatError, MindEyeError } from '../base/errors.ts'
import { type FoundArray, Inventory, type SourceFile } from './inventory.ts'
import { openStudy, type OpenedStudy } from './layouts/index.ts'
import { stackRows } from './matrices.ts'
import type { Mapping } from './study.ts'

/** Trials to decode whose pictures need not be known. */
export interface NewTrials {
  count: number
  /** What they were taken from, in words. */
  source: string
  /** Trials `[start, stop)`: (stop - start, V), in the units of the files. */
  read(start: number, stop: number): Float32Array | Promise<Float32Array>
  close(): void
}

/**
 * Betas (trials, V) for a decoder of `voxelCount` voxels: the array mapped as `voxels`; else the one matrix (a table, or a single
 * trial's vector) with that many columns in each of the given files, one below the other; else the only such matrix in a folder;
 * else all trials of a dataset in a known layout. Throws an input error that says what was found instead.
 */
export async function openNewTrials(paths: readonly string[], map: Mapping, voxelCount: number): Promise<NewTrials> {
  const inventory = new Inventory(paths)
  let all: FoundArray[]
  try {
    all = map.voxels ? [await inventory.find(map.voxels)] : await candidates(inventory)
    const fitting = all.filter(({ entry: { shape } }) => shape.length <= 2 && shape.at(-1) === voxelCount)
    const isOneEach =
      inventory.files.every((file) => isNamed(inventory, file)) &&
      inventory.files.every((file) => fitting.filter((found) => found.file === file).length === 1)
    if (fitting.length === 1 || isOneEach) {
      const where = paths.join(', ')
      const { rows, read } = stackRows(
        fitting.map(({ entry }) => asMatrix(entry)),
        where,
      )
      const source = fitting.map(({ file, entry }) => `${entry.name} of ${file.name}`).join(', ')
      return { count: rows, source, read, close: () => inventory.close() }
    }
    if (map.voxels || fitting.length) throw notOne(paths, voxelCount, fitting.length ? fitting : all)
  } catch (error) {
    inventory.close()
    throw error
  }
  inventory.close()

  const { study, layout, close } = await openDataset(paths, map, voxelCount, all)
  if (study.voxelCount !== voxelCount) {
    close()
    throw new MindEyeError({
      kind: 'input',
      where: paths.join(', '),
      expected: `${voxelCount} voxels, as the decoder was trained on`,
      found: `${study.voxelCount} voxels`,
      fix: 'A decoder knows the voxels of its own subject only.',
    })
  }
  const read = (start: number, stop: number) => study.readVoxels(start, stop)
  return { count: study.trials.count, source: layout.title, read, close }
}

/** The files as a dataset; files of plain arrays that are none are told as the arrays that they hold. */
async function openDataset(
  paths: readonly string[],
  map: Mapping,
  voxelCount: number,
  arrays: FoundArray[],
): Promise<OpenedStudy> {
  try {
    return await openStudy(paths, map)
  } catch (error) {
    throw arrays.length ? notOne(paths, voxelCount, arrays) : error
  }
}

/** Whether the user pointed at the file itself and not at a folder around it. */
const isNamed = (inventory: Inventory, { path }: SourceFile): boolean => inventory.paths.includes(path)

/** Matrices of all files; of a file that the user named also a table and a vector, which is a single trial. */
async function candidates(inventory: Inventory): Promise<FoundArray[]> {
  const arrays = (await inventory.allArrays()).filter(
    ({ file, entry }) => entry.shape.length === 2 || isNamed(inventory, file),
  )
  const tables = inventory.ofFormat('table').filter((file) => isNamed(inventory, file))
  return [...arrays, ...tables.map((file) => ({ file, entry: tableEntry(inventory, file) }))]
}

/** A table of numbers as a matrix: one line per trial, one column per voxel. */
function tableEntry(inventory: Inventory, file: SourceFile): ArrayEntry {
  const table = inventory.table(file)
  const { columns, rowCount } = table
  const numbers = columns.map(Number)
  const isCount = numbers.every((x, i) => x === numbers[0] + i) && (numbers[0] === 0 || numbers[0] === 1)
  if (numbers.every((x) => !Number.isNaN(x)) && !isCount)
    throw formatError(
      file.name,
      'first line',
      'a name for each column',
      `numbers: ${columns.slice(0, 3).join(', ')} …`,
      'Put a line with names (v1, v2, …) above the trials.',
    )
  const readRows = (start: number, stop: number) => {
    const data = new Float32Array((stop - start) * columns.length)
    columns.forEach((name, c) => {
      const values = table.numbers(name)
      for (let row = start; row < stop; row++) data[(row - start) * columns.length + c] = values[row]
    })
    return { dtype: 'float32' as const, shape: [stop - start, columns.length], data }
  }
  const shape = [rowCount, columns.length]
  return { name: parse(file.name).name, dtype: 'float32', shape, read: () => readRows(0, rowCount), readRows }
}

/** A vector is one row. */
function asMatrix(entry: ArrayEntry): ArrayEntry {
  if (entry.shape.length === 2) return entry
  return { ...entry, shape: [1, ...entry.shape], readRows: () => entry.read() }
}

function notOne(paths: readonly string[], voxelCount: number, found: readonly FoundArray[]): MindEyeError {
  const isTransposed = found.some(({ entry: { shape } }) => shape.length === 2 && shape[0] === voxelCount)
  const fits = found.filter(({ entry: { shape } }) => shape.at(-1) === voxelCount).length
  return new MindEyeError({
    kind: 'input',
    where: paths.join(', '),
    expected: `one matrix (trials, ${voxelCount}), the voxels that the decoder was trained on`,
    found: found
      .slice(0, 20)
      .map(({ entry }) => `${entry.name} [${entry.shape}]`)
      .join(', '),
    fix: fits
      ? 'Say which holds the trials: --map voxels=NAME.'
      : isTransposed
        ? 'Transpose it: a row is a trial, a column a voxel.'
        : 'A decoder knows the voxels of its own subject only, in the order in which they were imported.',
  })
}
