import { join } from 'node:path'
import { writeFileAtomic } from '../base/files.ts'
import { encodeNpy } from '../formats/npy.ts'
import { BLOCK_BYTES } from './facts.ts'
import { openRows } from './rows.ts'
import { readManifest, readSubjectArray } from './subject.ts'

/** Mean and standard deviation of each voxel over all trials of a subject, (V) each. */
export interface VoxelStatistics {
  mean: Float32Array
  sd: Float32Array
}

/** Below the subject's folder; with the cache it may be deleted. */
const FILE = join('cache', 'statistics.npy')

export function encodeStatistics(mean: ArrayLike<number>, sd: ArrayLike<number>): Uint8Array {
  const data = new Float32Array(2 * mean.length)
  data.set(mean, 0)
  data.set(sd, mean.length)
  return encodeNpy({ dtype: 'float32', shape: [2, mean.length], data })
}

/** What was found at import; undefined where nobody has looked yet. */
export function readStatistics(subjectFolder: string): VoxelStatistics | undefined {
  const found = readSubjectArray(subjectFolder, FILE)
  if (!found) return undefined
  const V = found.shape[1]
  const data = found.data as Float32Array
  return { mean: data.subarray(0, V), sd: data.subarray(V, 2 * V) }
}

/** Goes through all trials once, for subjects that were imported without; keeps what it finds in the cache. */
export function computeStatistics(subjectFolder: string): VoxelStatistics {
  const { trialCount, voxelCount: V } = readManifest(subjectFolder)
  const rows = openRows(join(subjectFolder, 'cache', 'voxels.npy'), 'float32', [trialCount, V])
  const mean = new Float64Array(V)
  const squares = new Float64Array(V)
  const height = Math.max(1, Math.floor(BLOCK_BYTES / (4 * V)))
  try {
    for (let start = 0; start < trialCount; start += height) {
      const some = Array.from({ length: Math.min(height, trialCount - start) }, (_, i) => start + i)
      const block = new Float32Array(some.length * V)
      rows.gather(some, block)
      some.forEach((row, i) => {
        // Welford's update keeps its digits for voxels far from zero.
        for (let v = 0; v < V; v++) {
          const d = block[i * V + v] - mean[v]
          mean[v] += d / (row + 1)
          squares[v] += d * (block[i * V + v] - mean[v])
        }
      })
    }
  } finally {
    rows.close()
  }
  const sd = squares.map((sum) => Math.sqrt(sum / trialCount))
  writeFileAtomic(join(subjectFolder, FILE), encodeStatistics(mean, sd))
  return { mean: Float32Array.from(mean), sd: Float32Array.from(sd) }
}
