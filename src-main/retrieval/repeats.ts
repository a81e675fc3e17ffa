import type { TrainingConfig } from '../training/fields.ts'

/** A held-out pattern is the mean of an image's repeats, or one trial. */
export type Repeats = 'average' | 'single'

/** A finished run as an engine process needs it. */
export interface RunPlace {
  runFolder: string
  subjectFolder: string
  config: TrainingConfig
  split: string
  seed: number
}

/** A run's held-out patterns; by default as its training took the repeats. */
export interface HeldOutJob extends RunPlace {
  repeats?: Repeats
}

/** How a run was trained and tested. */
export const ownRepeats = ({ items }: Pick<TrainingConfig, 'items'>): Repeats =>
  items === 'stimulus' ? 'average' : 'single'
