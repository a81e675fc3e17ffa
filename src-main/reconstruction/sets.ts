import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatError, MindEyeError } from '../base/errors.ts'
import { stageFolder, sweepTemporary } from '../base/files.ts'
import type { NdArray } from '../formats/array.ts'
import { encodePng } from '../formats/images.ts'
import { encodeNpy, openNpy } from '../formats/npy.ts'
import { encodeSafetensors } from '../formats/safetensors.ts'
import { openFile } from '../formats/source.ts'
import type { Json } from '../workspace/records.ts'

/*
 * Reconstructions of a run on disk: runs/RUN/reconstructions/SET/TRIAL. A set is what one choice of settings gives, trial by trial; a trial's
 * folder appears complete or not at all, so whoever makes a set goes on where another stopped.
 */

/** From the low-level decoder's latent alone; from the embedding alone; from the embedding, begun at the low-level picture. */
export const kinds = ['low', 'high', 'combined'] as const
export type Kind = (typeof kinds)[number]

/** Everything that changes a pixel, and which kinds each trial has. Its hash names the set. */
export interface SetSettings {
  kinds: Kind[]
  [name: string]: Json
}

export interface SetRecord {
  /** Short hash of the settings. */
  id: string
  folder: string
  settings: SetSettings
  /** ISO 8601. */
  created: string
  /** Rows of the subject's trial table whose reconstructions are there, ascending; of averaged repeats the first. */
  trials: number[]
  kinds: Kind[]
}

/** Pixels (height, width, 3) in [0, 1], C order. */
export interface FloatPicture {
  height: number
  width: number
  data: Float32Array
}

/** Among which candidates a picture was chosen. */
export interface Choice {
  /** Position of the chosen one. */
  chosen: number
  /** Of every candidate: cosine of its own embedding with the one decoded from the brain; empty where nothing was compared. */
  scores: number[]
}

/** What `result.json` of a trial says. */
export interface TrialResult {
  /** Row of the subject's trial table; of averaged repeats the first. */
  trial: number
  /** Id of the seen image. */
  stimulus: string
  fold: number
  kinds: Partial<Record<Kind, Choice>>
  /** Time that the trial took. */
  seconds: number
}

/** A trial with its pictures, candidates in the order of their scores' list. */
export interface NewTrial extends Omit<TrialResult, 'kinds'> {
  kinds: Partial<Record<Kind, Choice & { candidates: FloatPicture[] }>>
  /** Arrays of the stages, kept in `stages.safetensors`. */
  stages: Record<string, NdArray>
}

const setsFolder = (runFolder: string): string => join(runFolder, 'reconstructions')
const trialFolder = ({ folder }: SetRecord, trial: number): string => join(folder, `${trial}`)

/** Where the picture that is being denoised lies, as it is seen after the last step. */
export const watchPath = (runFolder: string): string => join(setsFolder(runFolder), 'watch.png')

/** File names of a trial's pictures: the chosen one, and each candidate (from 0) where there are several. */
export const pictureName = (kind: Kind, candidate?: number): string =>
  candidate === undefined ? `${kind}.png` : `${kind}-${candidate + 1}.png`

/** The same for equal settings, whatever the order of their names. */
export const setId = (settings: SetSettings): string =>
  createHash('sha256')
    .update(JSON.stringify(sorted(settings)))
    .digest('hex')
    .slice(0, 10)

const sorted = (value: Json): Json =>
  typeof value !== 'object' || value === null
    ? value
    : Array.isArray(value)
      ? value.map(sorted)
      : Object.fromEntries(
          Object.keys(value)
            .sort()
            .map((name) => [name, sorted(value[name])]),
        )

/** The sets of a run, newest first. Throws a format error for damaged settings. */
export function listSets(runFolder: string): SetRecord[] {
  const folder = setsFolder(runFolder)
  const names = existsSync(folder) ? readdirSync(folder) : []
  return names
    .filter((name) => existsSync(join(folder, name, 'settings.json')) && !name.startsWith('.'))
    .map((name) => readSet(join(folder, name), name))
    .sort((a, b) => b.created.localeCompare(a.created) || a.id.localeCompare(b.id))
}

/** A set by its id; throws an input error that names those there are. */
export function findSet(runFolder: string, id: string): SetRecord {
  const sets = listSets(runFolder)
  const found = sets.find((set) => set.id === id)
  if (found) return found
  throw new MindEyeError({
    kind: 'input',
    where: runFolder,
    field: 'reconstructions',
    expected: sets.length ? `one of ${sets.map((set) => set.id).join(', ')}` : 'reconstructions',
    found: sets.length ? `'${id}'` : 'none',
    fix: 'Make them with `mindeye reconstruct`.',
  })
}

function readSet(folder: string, id: string): SetRecord {
  const { settings, created } = readJson<Pick<SetRecord, 'settings' | 'created'>>(join(folder, 'settings.json'))
  const trials = readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
  return { id, folder, settings, created, trials, kinds: settings.kinds }
}

/** The set of these settings, made where it is not there; what dead processes left half-written in it is swept away. */
export function openSet(runFolder: string, settings: SetSettings): SetRecord {
  const id = setId(settings)
  const folder = join(setsFolder(runFolder), id)
  if (!existsSync(folder)) {
    const staged = stageFolder(folder)
    const content = { version: 1, created: new Date().toISOString(), settings }
    writeFileSync(join(staged.folder, 'settings.json'), `${JSON.stringify(content, undefined, 2)}\n`)
    commitUnlessThere(staged, folder)
  }
  sweepTemporary(folder)
  return readSet(folder, id)
}

/** Writes a trial of a set, durably and whole; one that another process has meanwhile written stays, being the same. */
export async function writeTrial(set: SetRecord, { kinds: made, stages, ...facts }: NewTrial): Promise<void> {
  const folder = trialFolder(set, facts.trial)
  const staged = stageFolder(folder)
  try {
    const write = (name: string, content: Uint8Array | string) => writeFileSync(join(staged.folder, name), content)
    const choices: TrialResult['kinds'] = {}
    for (const kind of set.kinds) {
      const { candidates, chosen, scores } = made[kind]!
      choices[kind] = { chosen, scores }
      const clamped = clamp(candidates[chosen])
      const { height, width, data } = clamped
      write(`${kind}.npy`, encodeNpy({ dtype: 'float32', shape: [height, width, 3], data }))
      write(pictureName(kind), await toPng(clamped))
      if (candidates.length > 1)
        for (const [i, candidate] of candidates.entries()) write(pictureName(kind, i), await toPng(clamp(candidate)))
    }
    if (Object.keys(stages).length) write('stages.safetensors', encodeSafetensors(stages))
    const result: TrialResult = { ...facts, kinds: choices }
    write('result.json', `${JSON.stringify(result, undefined, 2)}\n`)
  } catch (error) {
    staged.discard()
    throw error
  }
  commitUnlessThere(staged, folder)
}

/** What is known of a trial; throws a state error when it was not reconstructed. */
export const readTrial = (set: SetRecord, trial: number): TrialResult =>
  readJson(existing(set, trial, 'result.json', 'a reconstructed trial'))

/** The chosen picture of a trial; throws a state error when there is none of this kind. */
export function readPicture(set: SetRecord, trial: number, kind: Kind): FloatPicture {
  const file = openNpy(openFile(existing(set, trial, `${kind}.npy`, `a picture '${kind}'`)))
  try {
    const { shape, data } = file.arrays[0].read()
    return { height: shape[0], width: shape[1], data: data as Float32Array }
  } finally {
    file.close()
  }
}

/** The path of a picture's PNG, the chosen one or a candidate's; throws a state error when it is not there. */
export const picturePath = (set: SetRecord, trial: number, kind: Kind, candidate?: number): string =>
  existing(set, trial, pictureName(kind, candidate), `a picture '${kind}'`)

function existing(set: SetRecord, trial: number, name: string, expected: string): string {
  const path = join(trialFolder(set, trial), name)
  if (existsSync(path)) return path
  const { trials } = set
  throw new MindEyeError({
    kind: 'state',
    where: path,
    expected,
    found: trials.includes(trial)
      ? `only ${set.kinds.join(', ')}`
      : trials.length
        ? `trials ${trials.slice(0, 5).join(', ')}${trials.length > 5 ? ` … (${trials.length})` : ''}`
        : 'no trial yet',
    fix: 'Reconstruct it with `mindeye reconstruct`.',
  })
}

function commitUnlessThere(staged: ReturnType<typeof stageFolder>, folder: string): void {
  try {
    staged.commit()
  } catch (error) {
    if (!existsSync(folder)) throw error
  }
}

function readJson<T>(path: string): T {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch (error) {
    throw formatError(path, 'content', 'JSON', (error as Error).message, 'Remove its folder and reconstruct again.')
  }
}

const clamp = ({ data, ...size }: FloatPicture) => ({
  ...size,
  data: Float32Array.from(data, (value) => Math.min(1, Math.max(0, value))),
})

/** 8 bits a channel. */
export const toPng = ({ height, width, data }: FloatPicture): Promise<Uint8Array> =>
  encodePng({ height, width, channels: 3, data: Uint8Array.from(data, (value) => Math.round(255 * value)) })
