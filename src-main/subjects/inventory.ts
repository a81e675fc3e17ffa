import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import type { ArrayEntry, ArrayFile, NdArray } from '../formats/array.ts'
import { MindEyeError } from '../base/errors.ts'
import { type Hdf5File, openHdf5 } from '../formats/hdf5.ts'
import { openMatlab5 } from '../formats/matlab5.ts'
import { type NiftiFile, openNifti } from '../formats/nifti.ts'
import { openMatlab73 } from '../formats/matlab73.ts'
import { openNpz } from '../formats/npz.ts'
import { openNpy } from '../formats/npy.ts'
import { type FormatId, recogniseFormat } from '../formats/recognise.ts'
import { openTorchFile } from '../formats/torchFile.ts'
import { openSafetensors } from '../formats/safetensors.ts'
import { openFile } from '../formats/source.ts'
import { openTable, type Table } from '../formats/table.ts'
import { openTar, type TarFile } from '../formats/tar.ts'

/** A file that the user pointed at, or found inside a folder. */
export interface SourceFile {
  path: string
  name: string
  size: number
  /** Undefined for what we do not read. */
  format: FormatId | undefined
}

/** An array in one of the files. */
export interface FoundArray {
  file: SourceFile
  entry: ArrayEntry
}

const MOST_FILES = 200_000
const MOST_DEPTH = 8

function listFiles(path: string, depth: number, out: string[]): void {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat)
    throw new MindEyeError({
      kind: 'input',
      where: path,
      expected: 'a file or folder',
      found: 'nothing at this path',
      fix: 'Check the path.',
    })
  if (stat.isFile()) out.push(path)
  else if (stat.isDirectory() && depth <= MOST_DEPTH)
    for (const name of readdirSync(path).sort()) if (!name.startsWith('.')) listFiles(join(path, name), depth + 1, out)
  if (out.length > MOST_FILES)
    throw new MindEyeError({
      kind: 'input',
      where: path,
      expected: `at most ${MOST_FILES} files`,
      found: 'more',
      fix: 'Point at the folder of the dataset, not at the whole disk.',
    })
}

/** The files of a dataset, each opened at most once; formats are told by their contents. */
export class Inventory {
  readonly paths: readonly string[]
  readonly files: SourceFile[]
  private readonly opened = new Map<string, Promise<ArrayFile>>()
  private readonly tars = new Map<string, TarFile>()
  private readonly closers: (() => void)[] = []

  /** Throws an input error for a path that does not exist. */
  constructor(paths: readonly string[]) {
    this.paths = paths.map((path) => resolve(path))
    const found: string[] = []
    for (const path of this.paths) listFiles(path, 0, found)
    this.files = [...new Set(found)].map((path) => {
      const source = openFile(path)
      try {
        return { path, name: basename(path), size: source.size, format: recogniseFormat(source) }
      } finally {
        source.close()
      }
    })
  }

  /** The file's path below what was given, that itself included, with `/`: `subj01/roi/V1.nii.gz`. What lies above says nothing about the data. */
  within(file: SourceFile): string {
    const root = this.paths.find((path) => file.path === path || file.path.startsWith(path + sep))
    return root === undefined ? file.name : relative(dirname(root), file.path).split(sep).join('/')
  }

  ofFormat(...formats: FormatId[]): SourceFile[] {
    return this.files.filter((file) => file.format && formats.includes(file.format))
  }

  /** Named arrays of a file; none for formats that hold no arrays. A damaged file throws its format error. */
  async arrays(file: SourceFile): Promise<ArrayEntry[]> {
    let opening = this.opened.get(file.path)
    if (!opening) {
      opening = openArrays(file)
      this.opened.set(file.path, opening)
      // A file that cannot be opened says so to whoever asked; there is nothing to close.
      opening.then((opened) => this.closers.push(() => opened.close())).catch(() => {})
    }
    return (await opening).arrays
  }

  /** An HDF5 file with its texts and attributes. */
  async hdf5(file: SourceFile): Promise<Hdf5File> {
    const opened = await openHdf5(file.path)
    this.closers.push(() => opened.close())
    return opened
  }

  nifti(file: SourceFile): NiftiFile {
    const opened = openNifti(openFile(file.path))
    this.closers.push(() => opened.close())
    return opened
  }

  /** The index of a tar, made once. */
  tar(file: SourceFile): TarFile {
    let tar = this.tars.get(file.path)
    if (!tar) {
      tar = openTar(openFile(file.path))
      this.tars.set(file.path, tar)
      this.closers.push(tar.close)
    }
    return tar
  }

  /** Tables of text; a file that is none of ours throws its format error. */
  table(file: SourceFile): Table {
    const source = openFile(file.path)
    try {
      return openTable(source)
    } finally {
      source.close()
    }
  }

  /** Pictures in files of their own. */
  images(): SourceFile[] {
    return this.ofFormat('png', 'jpeg', 'webp', 'tiff')
  }

  async allArrays(): Promise<FoundArray[]> {
    const found: FoundArray[] = []
    for (const file of this.files) for (const entry of await this.arrays(file)) found.push({ file, entry })
    return found
  }

  /**
   * The array called `name`: its own name, `FILE:NAME`, or the file's name where it holds one array. Throws an input error
   * that lists the arrays when there is none or more than one.
   */
  async find(name: string): Promise<FoundArray> {
    const all = await this.allArrays()
    const matches = all.filter(
      ({ file, entry }) => entry.name === name || `${file.name}:${entry.name}` === name || file.name === name,
    )
    if (matches.length === 1) return matches[0]
    throw new MindEyeError({
      kind: 'input',
      where: `--map …=${name}`,
      expected: 'the name of one array in these files',
      found: matches.length ? `${matches.length} arrays of that name` : `only ${await this.describe()}`,
      fix: matches.length ? 'Write FILE:NAME.' : 'Use one of these names.',
    })
  }

  /** `name type [shape]` of up to 30 arrays, else the kinds of files; for errors. */
  async describe(): Promise<string> {
    const lines: string[] = []
    for (const file of this.files) {
      const entries = await this.arrays(file).catch(() => [])
      for (const { name, dtype, shape } of entries) lines.push(`${file.name}:${name} ${dtype} [${shape}]`)
      if (lines.length > 30) break
    }
    if (lines.length) return lines.slice(0, 30).join(', ') + (lines.length > 30 ? ', …' : '')
    const kinds = new Map<string, number>()
    for (const { format = 'unknown' } of this.files) kinds.set(format, (kinds.get(format) ?? 0) + 1)
    return [...kinds].map(([kind, n]) => `${n} ${kind} ${n === 1 ? 'file' : 'files'}`).join(', ')
  }

  /** The error of a layout that does not find in these files what it was chosen for. */
  missing(expected: string): MindEyeError {
    return new MindEyeError({
      kind: 'input',
      where: this.paths.join(', '),
      expected,
      found: 'files without them',
      fix: 'Point at the complete dataset, or name the arrays with --map.',
    })
  }

  close(): void {
    for (const close of this.closers.splice(0)) close()
    this.opened.clear()
    this.tars.clear()
  }
}

async function openArrays(file: SourceFile): Promise<ArrayFile> {
  switch (file.format) {
    case 'npy':
      return openNpy(openFile(file.path))
    case 'npz':
      return openNpz(openFile(file.path))
    case 'safetensors':
      return openSafetensors(openFile(file.path))
    case 'torch':
      return openTorchFile(openFile(file.path))
    case 'matlab5':
      return openMatlab5(openFile(file.path))
    case 'matlab73':
      return openMatlab73(file.path)
    case 'hdf5':
      return openHdf5(file.path)
    default:
      return { arrays: [], close() {} }
  }
}

/** Numbers of any array as float32; bfloat16 patterns are widened, 64-bit integers become numbers. */
export function toFloat32(array: NdArray): Float32Array {
  const { data, dtype } = array
  if (data instanceof Float32Array) return data
  if (!(data instanceof BigInt64Array || data instanceof BigUint64Array) && dtype !== 'bfloat16')
    return new Float32Array(data)
  const out = new Float32Array(data.length)
  if (dtype === 'bfloat16') {
    const bits = new Uint32Array(out.buffer)
    for (let i = 0; i < data.length; i++) bits[i] = Number(data[i]) << 16
  } else for (let i = 0; i < data.length; i++) out[i] = Number(data[i])
  return out
}

/** Whole numbers of any array, e.g. ids; throws a format error that names the array when one is not whole. */
export function toIntegers(array: NdArray, name: string): Int32Array {
  return Int32Array.from(array.data as ArrayLike<number | bigint> as ArrayLike<number>, (x) => {
    const value = Number(x)
    if (!Number.isInteger(value) || Math.abs(value) > 2 ** 31 - 1)
      throw new MindEyeError({ kind: 'format', where: name, expected: 'whole numbers', found: String(value) })
    return value
  })
}
