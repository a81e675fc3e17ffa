import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { openAtomic, writeFileAtomic } from '../base/files.ts'
import type { NdArray } from '../formats/array.ts'
import { encodeSafetensors, openSafetensors, safetensorsHeader } from '../formats/safetensors.ts'
import { openFile } from '../formats/source.ts'
import type { VoxelScaling } from './examples.ts'

const PATTERN = /^checkpoint-(\d+)\.safetensors$/

/** How many generations of checkpoints stay: the older one serves when the newest cannot be read. */
const GENERATIONS = 2

/** Names of the files of `runs/RUN/folds/I`. */
export const foldFiles = (folder: string) => ({
  scaling: join(folder, 'scaling.safetensors'),
  encoder: join(folder, 'encoder.safetensors'),
  model: join(folder, 'model.safetensors'),
  /** Where the run decodes pictures: the network and the ridge regression to pixels, and how they are blended. */
  low: join(folder, 'low.safetensors'),
  ridge: join(folder, 'ridge.safetensors'),
  blend: join(folder, 'blend.json'),
  /** Pictures of one part of the training trials, predicted from the others; there until the blend is chosen. */
  heldOut: (part: number) => join(folder, `held-out-${part}.safetensors`),
  /** Embeddings of the held-out trials and of the pool; the last file of a fold, so its presence means done. */
  test: join(folder, 'test.safetensors'),
  checkpoint: (step: number) => join(folder, `checkpoint-${String(step).padStart(7, '0')}.safetensors`),
})

/** Checkpoints of a fold, newest first. */
export function checkpoints(folder: string): { step: number; path: string }[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .flatMap((name) => {
      const match = PATTERN.exec(name)
      return match ? [{ step: Number(match[1]), path: join(folder, name) }] : []
    })
    .sort((a, b) => b.step - a.step)
}

/** Removes all but the newest generations, or all of them once a fold is done. */
export function pruneCheckpoints(folder: string, keep = GENERATIONS): void {
  for (const { path } of checkpoints(folder).slice(keep)) rmSync(path, { force: true })
}

const float = (shape: number[], data: Float32Array): NdArray => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(data),
})

export function saveScaling(path: string, { sessions }: VoxelScaling): void {
  const width = sessions[0].mean.length
  const tensors = Object.fromEntries(
    sessions.flatMap(({ session, mean, inverse }) => [
      [`mean/${session ?? 'any'}`, float([width], mean)],
      [`inverse_sd/${session ?? 'any'}`, float([width], inverse)],
    ]),
  )
  writeFileAtomic(path, encodeSafetensors(tensors))
}

export function loadScaling(path: string): VoxelScaling {
  const arrays = readArrays(path)
  return {
    sessions: [...arrays.keys()]
      .filter((name) => name.startsWith('mean/'))
      .map((name) => {
        const key = name.slice('mean/'.length)
        return {
          session: key === 'any' ? undefined : Number(key),
          mean: arrays.get(name)!.data as Float32Array,
          inverse: arrays.get(`inverse_sd/${key}`)!.data as Float32Array,
        }
      }),
  }
}

/** What a fold says about its held-out trials: embeddings (rows, N) of brain patterns and of the pool's images. */
export interface TestEmbeddings {
  width: number
  brain: Float32Array
  image: Float32Array
  /** Stimulus that each brain pattern saw, (rows). */
  seen: Int32Array
  /** First trial of each brain pattern, (rows); with averaged repeats the others follow from the stimulus. */
  trial: Int32Array
  /** Stimulus of each image of the pool. */
  pool: Int32Array
}

/** Written piece by piece: with 257 tokens of 768 the embeddings of NSD's test images take a gigabyte. */
export function saveTest(path: string, { width, brain, image, seen, trial, pool }: TestEmbeddings): void {
  const tensors = [
    { name: 'brain', dtype: 'float32', shape: [seen.length, width], data: brain },
    { name: 'image', dtype: 'float32', shape: [pool.length, width], data: image },
    ...Object.entries({ seen, trial, pool }).map(
      ([name, data]) => ({ name, dtype: 'int32', shape: [data.length], data }) as const,
    ),
  ] as const
  const file = openAtomic(path)
  try {
    file.write(safetensorsHeader(tensors))
    for (const { data } of tensors) file.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  } catch (error) {
    file.discard()
    throw error
  }
  file.commit()
}

export function loadTest(path: string): TestEmbeddings {
  const arrays = readArrays(path)
  const data = <T>(name: string) => arrays.get(name)!.data as T
  return {
    width: arrays.get('brain')!.shape[1],
    brain: data('brain'),
    image: data('image'),
    seen: data('seen'),
    trial: data('trial'),
    pool: data('pool'),
  }
}

/** All arrays of a safetensors file. */
export function readArrays(path: string): Map<string, NdArray> {
  const file = openSafetensors(openFile(path))
  try {
    return new Map(file.arrays.map((array) => [array.name, array.read()]))
  } finally {
    file.close()
  }
}
