import { Random } from '../../src-main/nn/random.ts'
import { openSet, writeTrial } from '../../src-main/reconstruction/sets.ts'
import type { FloatPicture, Kind, SetRecord } from '../../src-main/reconstruction/sets.ts'
import type { Subject } from '../../src-main/subjects/subject.ts'
import { loadRunTest } from '../../src-main/training/foldTest.ts'

/** How much of its own image a picture shows; the rest is noise of large patches. */
export type Share = Partial<Record<Kind, number>>

/**
 * Writes reconstructions that no decoder made: each shows its own image to a known share. Of all held-out trials of the run, or of the first
 * `trials` of them.
 */
export async function writeReconstructions(
  runFolder: string,
  subject: Subject,
  shares: Share,
  { seed = 1, trials = Infinity }: { seed?: number; trials?: number } = {},
): Promise<SetRecord> {
  const kinds = Object.keys(shares) as Kind[]
  const set = openSet(runFolder, { kinds, made: 'by a test', shares, seed })
  for (const [fold, { trial, seen }] of loadRunTest(runFolder).entries())
    for (let row = 0; row < Math.min(trials, trial.length); row++)
      await writeTrial(set, {
        trial: trial[row],
        stimulus: subject.stimuli.ids[seen[row]],
        fold,
        seconds: 0.1,
        kinds: Object.fromEntries(
          kinds.map((kind) => {
            const random = new Random(seed).split(kind, trial[row])
            return [kind, { chosen: 0, scores: [], candidates: [picture(subject, seen[row], shares[kind]!, random)] }]
          }),
        ),
        stages: {},
      })
  return openSet(runFolder, set.settings)
}

const SIDE = 32
const PATCH = 8

function picture(subject: Subject, stimulus: number, share: number, random: Random): FloatPicture {
  const { data, height, width, channels } = subject.readImages([stimulus])
  const patches = Float32Array.from({ length: (SIDE / PATCH) ** 2 * 3 }, () => random.uniform())
  const pixels = Float32Array.from({ length: SIDE * SIDE * 3 }, (_, i) => {
    const [y, x, c] = [Math.floor(i / 3 / SIDE), Math.floor(i / 3) % SIDE, i % 3]
    const at = Math.floor((y * height) / SIDE) * width + Math.floor((x * width) / SIDE)
    const own = data[at * channels + (channels === 3 ? c : 0)] / 255
    const patch = Math.floor(y / PATCH) * (SIDE / PATCH) + Math.floor(x / PATCH)
    return share * own + (1 - share) * patches[patch * 3 + c]
  })
  return { height: SIDE, width: SIDE, data: pixels }
}
