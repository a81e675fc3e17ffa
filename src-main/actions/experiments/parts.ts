import { MindEyeError } from '../../base/errors.ts'
import type { RunOptions } from '../../base/progress.ts'

/** Throws unless a preset is of the high-level decoder. */
export function checkHighLevel(preset: string, method: string): void {
  if (method === 'mindeye') return
  throw new MindEyeError({
    kind: 'input',
    where: '--preset',
    expected: 'a preset of the high-level decoder, which these claims are about',
    found: `'${preset}', method ${method}`,
    fix: 'For example --preset small-study.',
  })
}

/** `demo hidden=512`: a preset with what is changed. */
export const optionsInWords = (preset: string, set: Record<string, string>): string =>
  [preset, ...Object.entries(set).map((pair) => pair.join('='))].join(' ')

/** The progress of one piece of work as a part of all of them; `place` says which. */
export const partOf = ({ signal, progress }: RunOptions, done: number, total: number, place: string): RunOptions => ({
  signal,
  progress: (report) =>
    progress({
      phase: 'experiment',
      done: done + (report.total ? report.done / report.total : 0),
      total,
      message: `${place}: ${report.phase}`,
    }),
})
