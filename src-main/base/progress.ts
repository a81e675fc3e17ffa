/** One report of how far a job has come; travels from the engine process to the terminal, the job's row and the page. */
export interface Progress {
  /** What is being done, e.g. `train fold 2 of 5`. */
  phase: string
  /** Work finished and work in all, in the phase's own unit (steps, files, bytes). `total` 0 means unknown. */
  done: number
  total: number
  message?: string
  /** Live figures, e.g. `{ loss: 1.25, lr: 3e-4, examplesPerSecond: 410 }`. */
  values?: Record<string, number>
}

/** What every interruptible piece of work receives beside its input. */
export interface RunOptions {
  signal: AbortSignal
  progress(report: Progress): void
  /** Told the number of the job, where the work is one of a workspace. */
  started?(job: number): void
}
