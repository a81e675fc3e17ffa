import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { RunOptions } from '../../src-main/base/progress.ts'
import type { DType, NdArray } from '../../src-main/formats/array.ts'
import { dtypes } from '../../src-main/formats/array.ts'
import { encodePng } from '../../src-main/formats/images.ts'
import { encodeMatlab5, type MatlabInput } from '../../src-main/formats/matlab5.ts'
import { Random } from '../../src-main/nn/random.ts'
import { rebuildCache } from '../../src-main/subjects/cache.ts'
import type { Check } from '../../src-main/subjects/checks.ts'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { parseMapping } from '../../src-main/subjects/mapping.ts'
import type { Study } from '../../src-main/subjects/study.ts'
import { openSubject, type Subject, type SubjectManifest, type TrialTable } from '../../src-main/subjects/subject.ts'
import { emptyTrials } from '../../src-main/subjects/tables.ts'

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mindeye-subjects-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const quietly = (): RunOptions => ({ signal: new AbortController().signal, progress() {} })

export function array(dtype: DType, shape: number[], values: ArrayLike<number>): NdArray {
  const make = dtypes[dtype] as { from(values: ArrayLike<number>): NdArray['data'] }
  return { dtype, shape, data: make.from(values) }
}

export const check = (checks: readonly Check[], code: string): Check => {
  const found = checks.find((c) => c.code === code)
  if (!found) throw new Error(`no check ${code} among ${checks.map((c) => c.code).join(', ')}`)
  return found
}

/** `count` pictures of side x side with random blocks, as numbers in 0..255, row by row. */
export function figures(count: number, side: number, seed = 1): number[][] {
  const random = new Random(seed)
  return Array.from({ length: count }, () => {
    const cells = Array.from({ length: 16 }, () => random.int(256))
    return Array.from({ length: side * side }, (_, i) => {
      const [y, x] = [Math.floor(i / side), i % side]
      return cells[Math.floor((y * 4) / side) * 4 + Math.floor((x * 4) / side)]
    })
  })
}

/** The column-major order in which MATLAB keeps a square picture. */
export function columnMajor(picture: readonly number[]): number[] {
  const side = Math.sqrt(picture.length)
  return picture.map((_, i) => picture[(i % side) * side + Math.floor(i / side)])
}

export const noise = (count: number, seed: number, scale = 1): Float64Array<ArrayBuffer> => {
  const random = new Random(seed)
  return Float64Array.from({ length: count }, () => random.normal() * scale)
}

export interface SmallStudy {
  /** Index of the figure shown in each trial. */
  train: number[]
  test: number[]
  V: number
  side: number
  figures: number[][]
  labels?: { train: number[]; test: number[] }
  /** Store figures as uint8 0..255 instead of doubles in [0, 1]. */
  bytes?: boolean
  /** Factor on the z-scored betas. */
  scale?: number
  /** How much of the picture is in the betas: the SD of a random projection of its pixels, beside noise of SD 1. */
  signal?: number
}

/** Adds to each trial's betas a projection of the shown figure's pixels, the same for all trials. */
function addSignal(
  betas: Float64Array,
  shown: readonly number[],
  { V, side, figures, scale = 1, signal }: SmallStudy & { signal: number },
): void {
  const pixels = side * side
  const weights = noise(V * pixels, 11, (scale * signal) / (74 * Math.sqrt(pixels))) // 74: the SD of a uniform 0..255
  for (const [trial, figure] of shown.entries())
    for (let v = 0; v < V; v++)
      for (let p = 0; p < pixels; p++) betas[trial * V + v] += weights[v * pixels + p] * (figures[figure][p] - 127.5)
}

/** Writes a MATLAB file in the layout of the small studies; returns its path and the betas (trials, V), train rows first. */
export function writeSmallStudy(folder: string, study: SmallStudy): { path: string; betas: Float64Array } {
  const { train, test, V, side, bytes } = study
  const betas = noise((train.length + test.length) * V, 7, study.scale)
  if (study.signal) addSignal(betas, [...train, ...test], study as SmallStudy & { signal: number })
  const pictures = (trials: number[]) => {
    const values = trials.flatMap((i) => columnMajor(study.figures[i]))
    return array(bytes ? 'uint8' : 'float64', [trials.length, side * side], bytes ? values : values.map((x) => x / 255))
  }
  const variables: Record<string, MatlabInput> = {
    fmriTrn: array('float64', [train.length, V], betas.subarray(0, train.length * V)),
    stimTrn: pictures(train),
    fmriTest: array('float64', [test.length, V], betas.subarray(train.length * V)),
    stimTest: pictures(test),
  }
  if (study.labels) {
    variables.labelTrn = array('uint16', [study.labels.train.length, 1], study.labels.train)
    variables.labelTest = array('uint16', [study.labels.test.length, 1], study.labels.test)
  }
  const path = join(folder, 'study.mat')
  writeFileSync(path, encodeMatlab5(variables))
  return { path, betas }
}

/** A trial table from lists, one value per trial. */
export function trialTable(lists: {
  stimulus: number[]
  part?: number[]
  run?: number[]
  session?: number[]
}): TrialTable {
  const trials = emptyTrials(lists.stimulus.length)
  trials.stimulus.set(lists.stimulus)
  trials.part.set(lists.part ?? [])
  trials.run.set(lists.run ?? [])
  trials.session.set(lists.session ?? [])
  return trials
}

/** A healthy study in memory: 8 images shown twice in train (sessions 1 and 2), 4 others twice in test, 6 voxels. */
export function healthyStudy(): Study & { voxels: Float32Array; pixels: Uint8Array } {
  const side = 16
  const stimulus = [0, 1].flatMap(() => [0, 1, 2, 3, 4, 5, 6, 7]).concat([8, 9, 10, 11])
  const trials = trialTable({
    stimulus,
    part: stimulus.map((s) => (s < 8 ? 0 : 1)),
    run: stimulus.map((s, t) => (s < 8 ? 1 + (t >> 3) : 3)),
  })
  const V = 6
  const voxels = Float32Array.from(noise(stimulus.length * V, 3))
  const pixels = Uint8Array.from(figures(12, side).flat())
  const study = {
    name: 'healthy',
    sources: [],
    trials,
    stimuli: { ids: Array.from({ length: 12 }, (_, i) => `picture-${i}`) },
    voxelCount: V,
    image: { height: side, width: side, channels: 1 as const },
    voxels,
    pixels,
    readVoxels: (start: number, stop: number) => study.voxels.slice(start * V, stop * V),
    readImages: (start: number, stop: number) => study.pixels.slice(start * side * side, stop * side * side),
    rois: [{ name: 'V1', mask: Uint8Array.of(1, 1, 0, 0, 0, 0) }],
    positions: Float32Array.from({ length: V * 3 }, (_, i) => (Math.floor(i / 3) % 2 ? 20 : -20)),
    volume: { shape: [10, 10, 10], affine: [2, 0, 0, -10, 0, 2, 0, -10, 0, 0, 2, -10, 0, 0, 0, 1] },
    checks: () => [],
  }
  return study
}

/** A colour picture that differs by `seed`: side x side x 3, row by row. */
export const colours = (seed: number, side = 8): Uint8Array =>
  Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * 7 + seed * 41 + (i % 3) * 50) % 256)

export const png = (pixels: Uint8Array, side = 8) => encodePng({ data: pixels, width: side, height: side, channels: 3 })

export function put(path: string, bytes: Uint8Array | string): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bytes)
  return path
}

/** Imports, makes the cache again from the recorded sources (which must give the same bytes), and opens; throws when a check forbids it. */
export async function load(
  paths: string[],
  map: string[] = [],
): Promise<{ subject: Subject; manifest: SubjectManifest; dir: string }> {
  const dir = join(temporaryFolder(), 'subject')
  const { manifest, checks } = await importPaths(paths, { map: parseMapping(map) }, dir, quietly())
  if (!manifest)
    throw new Error(
      checks
        .filter((c) => !c.ok && c.level === 'error')
        .map((c) => `${c.code}: ${c.found}`)
        .join(),
    )
  const files = ['voxels.npy', 'stimuli.npy'].map((name) => join(dir, 'cache', name))
  const before = files.map((file) => readFileSync(file))
  rmSync(join(dir, 'cache'), { recursive: true })
  await rebuildCache(dir, manifest)
  files.forEach((file, i) => expect(before[i].equals(readFileSync(file))).toBe(true))
  return { manifest, dir, subject: await openSubject(dir) }
}

export const rowsOf = (subject: Subject) => {
  const { voxelCount, trialCount } = subject.manifest
  const all = subject.readVoxels([...Array(trialCount).keys()])
  return Array.from({ length: trialCount }, (_, t) => [...all.subarray(t * voxelCount, (t + 1) * voxelCount)])
}
export const pixelsOf = (subject: Subject, stimulus: number) => [...subject.readImages([stimulus]).data]
