import type { Interval } from './statistics.ts'
import { mean, standardDeviation } from './statistics.ts'

/** 97.5 % quantiles of Student's t with 1 … 30 degrees of freedom. */
const T975 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101,
  2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
] // prettier-ignore

/** Student's 95 % interval of the mean of a few values, e.g. one per seed; undefined for a single one. Beyond 31 values the normal one. */
export function studentInterval(values: readonly number[]): Interval | undefined {
  const n = values.length
  if (n < 2) return undefined
  const half = ((T975[n - 2] ?? 1.96) * standardDeviation(values)) / Math.sqrt(n)
  return [mean(values) - half, mean(values) + half]
}
