import { formatError } from '../base/errors.ts'
import type { Check } from './checks.ts'
import type { Inventory } from './inventory.ts'
import { arrayOf, findSamples } from './samples.ts'
import type { TrialTable } from './subject.ts'

/** Columns of MindEye2's `behav.npy` (1, 17). */
const column = { image: 0, subject: 1, session: 2, run: 3, globalTrial: 5, shared: 16 } as const
const COLUMNS = 17

interface Behaviour {
  sources: string[]
  /** Fills part, session and run of the trials it tells about (`shown`: 73k id by trial); returns what it found as checks. */
  apply(trials: TrialTable, shown: Int32Array): Check[]
}

/** Behaviour rows of one subject from the webdataset tars; without them the trials have no part, session or run. */
export function readBehaviour(inventory: Inventory, subject: number | undefined): Behaviour {
  const samples = findSamples(inventory, 'behav.npy')
  return {
    sources: [...new Set(samples.map((sample) => sample.file.path))],
    apply(trials, shown) {
      const told = new Set<number>()
      let misaligned = 0
      for (const sample of samples) {
        const entry = arrayOf(sample, 'behav.npy')
        if (entry.shape.at(-1) !== COLUMNS)
          throw formatError(sample.file.name, `${sample.key}.behav.npy`, `${COLUMNS} columns`, `[${entry.shape}]`)
        const row = entry.read().data
        const at = (name: keyof typeof column): number => Number(row[column[name]])
        if (subject !== undefined && at('subject') !== subject) continue
        const trial = at('globalTrial')
        if (!(Number.isInteger(trial) && trial >= 0 && trial < trials.count)) {
          misaligned++
          continue
        }
        if (at('image') !== shown[trial]) misaligned++
        told.add(trial)
        trials.part[trial] = at('shared') === 1 ? 1 : 0
        trials.session[trial] = at('session')
        // Runs count anew in each session.
        if (at('run') >= 0) trials.run[trial] = at('session') * 100 + at('run')
      }
      return samples.length
        ? [
            {
              code: 'alignment.behaviour',
              level: 'error',
              ok: misaligned === 0,
              title: 'Behaviour rows and image ids agree',
              expected: 'the same image in both for every trial',
              found: misaligned ? `${misaligned} rows that differ` : `${told.size} of ${trials.count} trials told`,
              detail: '',
            },
          ]
        : [
            {
              code: 'alignment.behaviour',
              level: 'warning',
              ok: false,
              title: 'Behaviour rows',
              expected: 'tars with behav.npy, which tell train from test',
              found: 'none',
              detail: 'Without them there is no shipped split and no session or run is known.',
            },
          ]
    },
  }
}
