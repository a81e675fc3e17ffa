import { createHash } from 'node:crypto'
import type { StimulusTable, TrialTable } from './subject.ts'
import type { Study } from './study.ts'
import { MindEyeError } from '../base/errors.ts'
import type { RunOptions } from '../base/progress.ts'

/** Bytes of voxels or images held at once. */
export const BLOCK_BYTES = 64 * 2 ** 20

/** What one pass over the voxels leaves behind; arrays are (V). */
export interface VoxelFacts {
  mean: Float64Array
  sd: Float64Array
  /** Trials in which the voxel is NaN or infinite. */
  broken: Int32Array
  /** Standard deviation over voxels and trials together, and the largest magnitude. */
  overallSd: number
  largest: number
  /** Every value of the first block is a whole number. */
  whole: boolean
}

/** What one pass over the pictures leaves behind, one entry per stimulus. */
export interface ImageFacts {
  /** SHA-1 of the pixels. */
  pixels: string[]
  /** 64-bit difference hashes (n, 2). */
  difference: Uint32Array
  /** 16 x 16 grey thumbnails (n, 256), 0..255. */
  thumbnails: Float32Array
  /** Pictures in which all pixels are equal. */
  blank: number
  /** Mean absolute step to the right and to the lower neighbour, over the first block's pictures. */
  step: { right: number; down: number }
}

/** PixCorr of the mean train image of a trial's run with the image seen: what the run alone gives away. */
export interface RunMeanScore {
  trials: number
  pixCorr: number
}

export interface Facts {
  trials: TrialTable
  stimuli: StimulusTable
  voxelCount: number
  image: Study['image']
  rois: Study['rois']
  positions?: Float32Array
  volume?: Study['volume']
  voxels: VoxelFacts
  images: ImageFacts
  runMean?: RunMeanScore
}

/** Where the blocks go while they are being looked at; the importer writes the cache with these. */
export interface BlockSink {
  voxels?(block: Float32Array): void
  images?(block: Uint8Array): void
}

function aborted(): MindEyeError {
  return new MindEyeError({ kind: 'aborted', where: 'import', expected: 'to finish', found: 'that it was cancelled' })
}

/** Calls `visit(start, stop)` over `[0, count)` in blocks of at most BLOCK_BYTES, letting an abort through between them. */
async function inBlocks(
  phase: string,
  count: number,
  bytesPerRow: number,
  { signal, progress }: RunOptions,
  visit: (start: number, stop: number) => Promise<void>,
): Promise<void> {
  const rows = Math.max(1, Math.floor(BLOCK_BYTES / Math.max(1, bytesPerRow)))
  for (let start = 0; start < count; start += rows) {
    await new Promise((resolve) => setImmediate(resolve))
    if (signal.aborted) throw aborted()
    progress({ phase, done: start, total: count })
    await visit(start, Math.min(count, start + rows))
  }
  if (signal.aborted) throw aborted()
  progress({ phase, done: count, total: count })
}

async function passVoxels(study: Study, options: RunOptions, sink: BlockSink): Promise<VoxelFacts> {
  const V = study.voxelCount
  // Shifted by the first row: voxels of 1e4 ± 1 keep their digits.
  let shift: Float64Array | undefined
  const sum = new Float64Array(V)
  const squares = new Float64Array(V)
  const broken = new Int32Array(V)
  let largest = 0
  let whole = true
  await inBlocks('voxels', study.trials.count, V * 4, options, async (start, stop) => {
    const block = await study.readVoxels(start, stop)
    if (block.length !== (stop - start) * V)
      throw new RangeError(`the layout gave ${block.length} values for ${stop - start} trials of ${V} voxels`)
    const origin = (shift ??= Float64Array.from(block.subarray(0, V), (x) => (Number.isFinite(x) ? x : 0)))
    for (let row = 0; row < stop - start; row++)
      for (let v = 0, at = row * V; v < V; v++, at++) {
        const x = block[at]
        if (!Number.isFinite(x)) {
          broken[v]++
          continue
        }
        const d = x - origin[v]
        sum[v] += d
        squares[v] += d * d
        if (x > largest) largest = x
        else if (-x > largest) largest = -x
      }
    if (whole && start === 0) whole = block.every((x) => Number.isInteger(x))
    sink.voxels?.(block)
  })
  const mean = new Float64Array(V)
  const sd = new Float64Array(V)
  let all = 0
  let allSquares = 0
  let n = 0
  for (let v = 0; v < V; v++) {
    const count = study.trials.count - broken[v]
    if (!count || !shift) continue
    mean[v] = shift[v] + sum[v] / count
    const variance = Math.max(0, squares[v] / count - (sum[v] / count) ** 2)
    sd[v] = Math.sqrt(variance)
    all += mean[v] * count
    allSquares += (variance + mean[v] ** 2) * count
    n += count
  }
  const overallSd = n ? Math.sqrt(Math.max(0, allSquares / n - (all / n) ** 2)) : 0
  return { mean, sd, broken, overallSd, largest, whole }
}

/** Mean grey of each cell of a `rows` x `columns` grid laid over the picture (area average; cells of at least one pixel). */
function greyGrid(pixels: Uint8Array, image: Study['image'], rows: number, columns: number): Float32Array {
  const { height, width, channels } = image
  const out = new Float32Array(rows * columns)
  for (let r = 0; r < rows; r++) {
    const top = Math.min(height - 1, Math.floor((r * height) / rows))
    const bottom = Math.max(top + 1, Math.floor(((r + 1) * height) / rows))
    for (let c = 0; c < columns; c++) {
      const left = Math.min(width - 1, Math.floor((c * width) / columns))
      const right = Math.max(left + 1, Math.floor(((c + 1) * width) / columns))
      let total = 0
      for (let y = top; y < bottom; y++)
        for (let at = (y * width + left) * channels, end = (y * width + right) * channels; at < end; at++)
          total += pixels[at]
      out[r * columns + c] = total / ((bottom - top) * (right - left) * channels)
    }
  }
  return out
}

/** dHash: is each cell of a 8 x 9 grid brighter than its right neighbour? The upper and the lower four rows, 32 bits each. */
function differenceHash(pixels: Uint8Array, image: Study['image']): [number, number] {
  const grid = greyGrid(pixels, image, 8, 9)
  const halves: [number, number] = [0, 0]
  for (let r = 0; r < 8; r++)
    for (let c = 0; c < 8; c++) halves[r >> 2] = (halves[r >> 2] << 1) | (grid[r * 9 + c] > grid[r * 9 + c + 1] ? 1 : 0)
  return halves
}

/** Mean |difference| of horizontal and of vertical neighbours in the first 64 pictures of a block. */
function meanSteps(block: Uint8Array, { height, width, channels }: Study['image']): ImageFacts['step'] {
  const line = width * channels
  const lines = Math.min(64 * height, block.length / line)
  const step = { right: 0, down: 0 }
  for (let row = 0; row < lines; row++)
    for (let i = 0; i < line; i++) {
      const at = row * line + i
      if (i + channels < line) step.right += Math.abs(block[at] - block[at + channels])
      if ((row + 1) % height) step.down += Math.abs(block[at] - block[at + line])
    }
  const pictures = lines / height
  return {
    right: step.right / Math.max(1, pictures * height * (line - channels)),
    down: step.down / Math.max(1, pictures * (height - 1) * line),
  }
}

async function passImages(study: Study, options: RunOptions, sink: BlockSink): Promise<ImageFacts> {
  const n = study.stimuli.ids.length
  const { height, width, channels } = study.image
  const size = height * width * channels
  const facts: ImageFacts = {
    pixels: [],
    difference: new Uint32Array(n * 2),
    thumbnails: new Float32Array(n * 256),
    blank: 0,
    step: { right: 0, down: 0 },
  }
  await inBlocks('images', n, size, options, async (start, stop) => {
    const block = await study.readImages(start, stop)
    if (block.length !== (stop - start) * size)
      throw new RangeError(`the layout gave ${block.length} bytes for ${stop - start} pictures of ${size} bytes`)
    for (let i = start; i < stop; i++) {
      const pixels = block.subarray((i - start) * size, (i - start + 1) * size)
      facts.pixels.push(createHash('sha1').update(pixels).digest('hex'))
      facts.difference.set(differenceHash(pixels, study.image), i * 2)
      facts.thumbnails.set(greyGrid(pixels, study.image, 16, 16), i * 256)
      if (pixels.every((p) => p === pixels[0])) facts.blank++
    }
    if (start === 0) facts.step = meanSteps(block, study.image)
    sink.images?.(block)
  })
  return facts
}

function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sa = 0
  let sb = 0
  for (let i = 0; i < a.length; i++) {
    sa += a[i]
    sb += b[i]
  }
  sa /= a.length
  sb /= a.length
  let ab = 0
  let aa = 0
  let bb = 0
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - sa) * (b[i] - sb)
    aa += (a[i] - sa) ** 2
    bb += (b[i] - sb) ** 2
  }
  return ab / Math.sqrt(aa * bb)
}

/**
 * For each shipped test trial whose run has train trials: the mean of that run's train images against the image seen.
 * Skipped (undefined) without a shipped split or runs, and when the means would not fit in a block.
 */
async function scoreRunMeans(study: Study): Promise<RunMeanScore | undefined> {
  const { trials, image } = study
  const size = image.height * image.width * image.channels
  const testsOf = new Map<number, number[]>()
  for (let row = 0; row < trials.count; row++) {
    const run = trials.run[row]
    if (trials.part[row] === 1 && run >= 0) testsOf.set(run, [...(testsOf.get(run) ?? []), row])
  }
  if (!testsOf.size || study.stimuli.ids.length * size > BLOCK_BYTES) return undefined
  const pictures = await study.readImages(0, study.stimuli.ids.length)
  const picture = (row: number) => pictures.subarray(trials.stimulus[row] * size, (trials.stimulus[row] + 1) * size)
  let total = 0
  let scored = 0
  for (const [run, tests] of testsOf) {
    const sum = new Float64Array(size)
    for (let row = 0; row < trials.count; row++) {
      if (trials.part[row] !== 0 || trials.run[row] !== run) continue
      const pixels = picture(row)
      for (let i = 0; i < size; i++) sum[i] += pixels[i]
    }
    for (const test of tests) {
      const score = pearson(sum, picture(test))
      // NaN: the run has no train trials, or the picture is blank.
      if (!Number.isFinite(score)) continue
      total += score
      scored++
    }
  }
  return scored ? { trials: scored, pixCorr: total / scored } : undefined
}

/** Reads every voxel and picture of a study once, in blocks, and hands each block to `sink`. */
export async function gatherFacts(study: Study, options: RunOptions, sink: BlockSink = {}): Promise<Facts> {
  const { trials, stimuli, voxelCount, image, rois, positions, volume } = study
  const voxels = await passVoxels(study, options, sink)
  const images = await passImages(study, options, sink)
  const runMean = await scoreRunMeans(study)
  return { trials, stimuli, voxelCount, image, rois, positions, volume, voxels, images, runMean }
}
