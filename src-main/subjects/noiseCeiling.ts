import type { NoiseCeilingSummary, TrialTable } from './subject.ts'

/** Reads trials `rows` of V voxels each, (rows.length, V). */
type ReadRows = (rows: number[]) => Float32Array

/**
 * Share of a voxel's variance that an ideal model could explain, from repeats, as in the Natural Scenes Dataset (Allen et al. 2022):
 * betas are z-scored per voxel within each session, noise variance is the pooled variance over showings of one image, signal
 * variance is what is left of 1, and the ceiling for the mean of n showings is signal / (signal + noise / n).
 * Returns null without repeats. `perVoxel` is (V), in [0, 1].
 */
export function noiseCeiling(
  trials: TrialTable,
  V: number,
  readRows: ReadRows,
): { perVoxel: Float32Array<ArrayBuffer>; summary: NoiseCeilingSummary } | null {
  const showings = new Map<number, number[]>()
  for (let row = 0; row < trials.count; row++) {
    const rows = showings.get(trials.stimulus[row])
    if (rows) rows.push(row)
    else showings.set(trials.stimulus[row], [row])
  }
  const repeated = [...showings.values()].filter((rows) => rows.length > 1)
  if (!repeated.length) return null

  const scales = sessionScales(trials, V, readRows)
  const noise = new Float64Array(V)
  let freedom = 0
  let inverse = 0
  for (const rows of repeated) {
    const n = rows.length
    const block = readRows(rows)
    const scale = rows.map((row) => scales.get(trials.session[row])!)
    for (let v = 0; v < V; v++) {
      let sum = 0
      let squares = 0
      for (let i = 0; i < n; i++) {
        const z = (block[i * V + v] - scale[i].mean[v]) * scale[i].inverseSd[v]
        sum += z
        squares += z * z
      }
      noise[v] += squares - (sum * sum) / n
    }
    freedom += n - 1
    inverse += 1 / n
  }
  inverse /= repeated.length

  const perVoxel = new Float32Array(V)
  for (let v = 0; v < V; v++) {
    const variance = noise[v] / freedom
    const signal = Math.max(0, 1 - variance)
    // A constant voxel has neither signal nor noise.
    perVoxel[v] = variance > 0 ? signal / (signal + variance * inverse) : 0
  }
  const sorted = perVoxel.slice().sort()
  return {
    perVoxel,
    summary: {
      stimuliWithRepeats: repeated.length,
      repeats: 1 / inverse,
      mean: perVoxel.reduce((a, b) => a + b, 0) / V,
      median: sorted[Math.floor(V / 2)],
      best: sorted[V - 1],
    },
  }
}

interface Scale {
  mean: Float64Array
  inverseSd: Float64Array
}

const ROWS_AT_ONCE = 256

/** Mean and 1 / SD of each voxel within each session. */
function sessionScales(trials: TrialTable, V: number, readRows: ReadRows): Map<number, Scale> {
  const rowsOf = new Map<number, number[]>()
  for (let row = 0; row < trials.count; row++) {
    const rows = rowsOf.get(trials.session[row])
    if (rows) rows.push(row)
    else rowsOf.set(trials.session[row], [row])
  }
  const scales = new Map<number, Scale>()
  for (const [session, rows] of rowsOf) {
    const mean = new Float64Array(V)
    const squares = new Float64Array(V)
    let seen = 0
    for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
      const part = rows.slice(start, start + ROWS_AT_ONCE)
      const block = readRows(part)
      for (let i = 0; i < part.length; i++) {
        seen++
        // Welford's update keeps its digits for voxels far from zero.
        for (let v = 0; v < V; v++) {
          const d = block[i * V + v] - mean[v]
          mean[v] += d / seen
          squares[v] += d * (block[i * V + v] - mean[v])
        }
      }
    }
    scales.set(session, {
      mean,
      inverseSd: squares.map((sum) => (sum > 0 ? 1 / Math.sqrt(sum / Math.max(1, seen - 1)) : 0)),
    })
  }
  return scales
}
