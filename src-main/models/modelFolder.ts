import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { formatError, MindEyeError } from '../base/errors.ts'
import { openWeights } from '../formats/weights.ts'
import type { WeightsFile } from '../formats/weights.ts'

/** A model as transformers and diffusers save it: config.json beside its weights. */
export interface ModelFolder {
  folder: string
  /** Path of config.json. */
  configPath: string
  config: Record<string, unknown>
  /** Path of the weights, or of the index of their parts. */
  weightsPath: string
}

/** Names of weights in the order in which they are taken: full precision before half, safetensors before pickles, whole before parts. */
export const WEIGHT_NAMES: readonly string[] = ['', '.fp16'].flatMap((variant) =>
  [
    { names: ['model', 'diffusion_pytorch_model'], type: 'safetensors' },
    { names: ['pytorch_model', 'diffusion_pytorch_model'], type: 'bin' },
  ].flatMap(({ names, type }) =>
    [`${variant}.${type}`, `.${type}.index${variant}.json`].flatMap((end) => names.map((name) => name + end)),
  ),
)

/** Finds config.json and the weights of a model's folder; throws a format error that says what was looked for and what is there. */
export function findModel(folder: string): ModelFolder {
  const names = filesIn(folder)
  if (!names.includes('config.json'))
    throw formatError(
      folder,
      'files',
      'config.json',
      listOf(names),
      'Give the folder of one model, e.g. image_encoder, as transformers or diffusers saves it.',
    )
  const weights = WEIGHT_NAMES.find((name) => names.includes(name))
  if (!weights)
    throw formatError(
      folder,
      'files',
      `weights under one of the names ${WEIGHT_NAMES.join(', ')}`,
      listOf(names),
      'Download the weights of this model, too.',
    )
  const [configPath, weightsPath] = [join(folder, 'config.json'), join(folder, weights)]
  return { folder, configPath, config: readConfig(configPath), weightsPath }
}

/** Opens the weights of a model's folder; only headers are read until an array is. */
export function openModelFolder(folder: string): ModelFolder & WeightsFile {
  const found = findModel(folder)
  return { ...found, ...openModelWeights(found.weightsPath) }
}

/** Opens a file of weights, with a word of its own for what a clone without large files leaves in its place. */
export function openModelWeights(path: string): WeightsFile {
  refusePointer(path)
  return openWeights(path)
}

function filesIn(folder: string): string[] {
  const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory()
  if (isFolder) return readdirSync(folder).sort()
  throw new MindEyeError({
    kind: 'input',
    where: folder,
    expected: 'the folder of a model, with config.json and its weights',
    found: existsSync(folder) ? 'a file' : 'no such folder',
    fix: 'Check the path.',
  })
}

/** The JSON object that a small file holds. */
export function readConfig(path: string): Record<string, unknown> {
  const limit = 10e6 // a config.json with the labels of thousands of classes is far below
  const { size } = statSync(path)
  if (size > limit) throw formatError(path, 'size', `at most ${limit} bytes`, `${size}`)
  const text = readFileSync(path, 'utf8')
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Told below, with what it begins with.
  }
  throw formatError(path, 'content', 'a JSON object', JSON.stringify(text.slice(0, 40)))
}

const listOf = (names: readonly string[]): string =>
  names.length ? names.slice(0, 12).join(', ') + (names.length > 12 ? `, … (${names.length} files)` : '') : 'nothing'

const POINTER = 'version https://git-lfs'

/** A clone without git-lfs leaves small texts in the places of the large files. */
function refusePointer(path: string): void {
  const head = Buffer.alloc(POINTER.length)
  const fd = openSync(path, 'r')
  try {
    readSync(fd, head)
  } finally {
    closeSync(fd)
  }
  if (head.toString('latin1') !== POINTER) return
  throw formatError(
    path,
    'content',
    'weights',
    'a pointer of git-lfs to them',
    'The repository was cloned without its large files: run `git lfs pull` in it.',
  )
}
