import { readFileSync } from 'node:fs'
import { formatError } from '../base/errors.ts'
import type { StimulusTable, TrialTable } from './subject.ts'

const TRIAL_COLUMNS = ['stimulus', 'part', 'session', 'run'] as const
const PART_NAMES = ['none', 'train', 'test']

/** A trial table of `count` rows with nothing known: no part, session or run. */
export function emptyTrials(count: number): TrialTable {
  return {
    count,
    stimulus: new Int32Array(count),
    part: new Int8Array(count).fill(-1),
    session: new Int32Array(count).fill(-1),
    run: new Int32Array(count).fill(-1),
  }
}

export function formatTrialTable(trials: TrialTable): string {
  const lines = [TRIAL_COLUMNS.join('\t')]
  for (let i = 0; i < trials.count; i++)
    lines.push([trials.stimulus[i], PART_NAMES[trials.part[i] + 1], trials.session[i], trials.run[i]].join('\t'))
  return lines.join('\n') + '\n'
}

export function formatStimulusTable(stimuli: StimulusTable): string {
  // Tabs and line ends would break the table, and no dataset needs them in an id.
  return ['id', ...stimuli.ids.map((id) => id.replace(/[\t\r\n]/g, ' '))].join('\n') + '\n'
}

function readLines(path: string, header: string, count: number): string[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  if (lines[0] !== header) throw formatError(path, 'header', header, String(lines[0]))
  if (lines.length - 1 !== count) throw formatError(path, 'rows', String(count), String(lines.length - 1))
  return lines.slice(1)
}

/** Reads `trials.tsv`; throws when its length is not the manifest's. */
export function readTrialTable(path: string, count: number): TrialTable {
  const trials = emptyTrials(count)
  readLines(path, TRIAL_COLUMNS.join('\t'), count).forEach((line, i) => {
    const [stimulus, part, session, run] = line.split('\t')
    const value = PART_NAMES.indexOf(part)
    if (value < 0) throw formatError(path, `row ${i + 1}, part`, PART_NAMES.join(', '), String(part))
    trials.stimulus[i] = Number(stimulus)
    trials.part[i] = value - 1
    trials.session[i] = Number(session)
    trials.run[i] = Number(run)
  })
  return trials
}

/** Reads `stimuli.tsv`. */
export function readStimulusTable(path: string, count: number): StimulusTable {
  return { ids: readLines(path, 'id', count) }
}
