import type { HeldOutJob } from '../retrieval/repeats.ts'
import type { Subject } from '../subjects/subject.ts'
import type { Pattern } from './patterns.ts'
import type { Made, PictureOptions, Watch } from './pipeline.ts'

/** Pictures of a run's held-out patterns: by the networks of a pack, or by the run itself where a small study was trained to that. */
export interface PictureJob extends PictureOptions {
  /** Whose patterns they are: the high-level run, or the low-level one where nothing else is asked for. */
  run: HeldOutJob
  /** The low-level run, with the path of the autoencoder whose latents it was trained on. */
  low?: HeldOutJob & { autoencoder: string }
  /** Folder of the pack; a small study needs none. */
  pack?: string
  seed: number
  /** Recorded noise in place of the seed's. */
  noise?: string
  /** Only these trials. */
  trials?: number[]
  /** Areas whose voxels are put to their mean. */
  without?: string[]
}

/** A job's networks and patterns, checked against each other; nothing but headers is read of the networks. */
export interface OpenedPictures {
  subject: Subject
  patterns: Pattern[]
  /** What progress counts for one pattern. */
  steps: number
  /** The fold of the low-level run that holds a pattern out. */
  lowFoldOf(pattern: Pattern): number
  /** Pictures of patterns of one fold of each run. */
  make(patterns: readonly Pattern[], watch: Watch): Promise<Made[]>
  close(): void
}
