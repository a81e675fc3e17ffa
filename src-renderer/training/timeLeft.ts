import type { Progress } from '../../src-main/base/progress.ts'

/** Seconds until all folds are trained, from what is left of this one: the others take as long as it will have taken. */
export function secondsLeft({ phase, done, total }: Progress, eta: number | undefined): number | undefined {
  if (eta === undefined) return undefined
  const folds = /(\d+) of (\d+)\)$/.exec(phase)
  if (!folds || done >= total) return eta
  const remaining = Number(folds[2]) - Number(folds[1])
  return eta + remaining * (eta * (total / (total - done)))
}
