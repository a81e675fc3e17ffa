import type { ErrorParts } from '../base/errors.ts'
import type { Owner } from '../base/owner.ts'
import type { Progress } from '../base/progress.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

/** `interrupted`: its process is gone without a word; `cancelled`: its user asked it to stop. */
export type State = 'queued' | 'running' | 'done' | 'failed' | 'cancelled' | 'interrupted'

/** A run of which checkpoints may exist and that `train --resume` takes up. */
export function isResumable(state: State): boolean {
  return state === 'failed' || state === 'cancelled' || state === 'interrupted'
}

/** What `subjects/ID/subject.json` says, with its place. */
export interface SubjectRecord {
  id: string
  folder: string
  /** Date of the import, ISO 8601. */
  added: string
  manifest: JsonObject
}

/** What `runs/RUN/run.json` says. */
export interface RunRecord {
  version: 1
  id: string
  subject: string
  preset: string
  state: State
  /** ISO 8601. */
  created: string
  finished?: string
  /** Who runs it; only while `running` or `queued`. */
  owner?: Owner
  error?: ErrorParts
  /** Everything that determines the run: options, seed, split, backend, versions. */
  config: JsonObject
  /** What is worth seeing in a list: scores, epochs done. */
  summary: JsonObject
}

/** What `packs/ID/pack.json` says. */
export interface PackRecord {
  version: 1
  id: string
  /** Absolute path of the pretrained networks, which are not ours. */
  folder: string
  /** ISO 8601. */
  added: string
  /** Of the pack's settings, names and sizes, to notice that it has changed. */
  fingerprint: string
  /** The parts that were whole when it was registered. */
  parts: string[]
}

/** What `galleries/ID/gallery.json` says. */
export interface GalleryRecord {
  version: 1
  id: string
  /** Absolute path of the images, which are not ours. */
  folder: string
  /** ISO 8601. */
  added: string
  /** Of the images' names and sizes, to notice that they have changed. */
  fingerprint: string
  /** How many. */
  images: number
}

export interface JobRecord {
  id: number
  action: string
  run?: string
  input: JsonObject
  state: State
  owner: Owner
  created: string
  started?: string
  finished?: string
  progress?: Progress
  /** Seconds left in the current phase, as estimated at the last progress. */
  eta?: number
  error?: ErrorParts
  /** What a job that is done came to. */
  result?: Json
}
