import type { Check } from '../../src-main/subjects/checks.ts'
import type { ChipKind } from '../shared/ui/UiChip.vue'

/** How a check is marked: a note that does not hold only informs. */
export function chipOf({ ok, level }: Pick<Check, 'ok' | 'level'>): { kind: ChipKind; word: string } {
  if (ok) return { kind: 'ok', word: 'ok' }
  if (level === 'error') return { kind: 'error', word: 'error' }
  if (level === 'warning') return { kind: 'warn', word: 'warning' }
  return { kind: 'note', word: 'note' }
}

/** 0 for what forbids an import, 3 for what holds. */
const severity = ({ ok, level }: Check): number => (ok ? 3 : ['error', 'warning', 'note'].indexOf(level))

/** What needs a look first, otherwise in the order of the list. */
export const bySeverity = (checks: readonly Check[]): Check[] => checks.toSorted((a, b) => severity(a) - severity(b))

/** `1 error, 2 warnings, 14 hold`. */
export function summaryOf(checks: readonly Check[]): string {
  const failed = (level: Check['level']) => checks.filter((check) => !check.ok && check.level === level).length
  const say = (n: number, word: string) => (n ? [`${n} ${word}${n === 1 ? '' : 's'}`] : [])
  const holding = checks.filter(({ ok }) => ok).length
  return [
    ...say(failed('error'), 'error'),
    ...say(failed('warning'), 'warning'),
    ...say(failed('note'), 'note'),
    `${holding} of ${checks.length} hold`,
  ].join(', ')
}

/** What the checks say about the shipped split, in one word and a sentence. */
export function leakageOf(checks: readonly Check[]): { kind: ChipKind; word: string; text: string } {
  const own = checks.filter(({ code }) => code.startsWith('leakage.'))
  const open = own.filter(({ ok, level }) => !ok && level !== 'note')
  const text = open.map(({ found }) => `${found[0].toUpperCase()}${found.slice(1)}.`).join(' ')
  if (!own.length)
    return {
      kind: 'note',
      word: 'no shipped split',
      text: 'The files name no train and test parts, so nothing could leak.',
    }
  if (!open.length)
    return { kind: 'ok', word: 'no leakage', text: `No warning among ${own.length} checks of the shipped split.` }
  // Many good studies interleave train and test images within runs; alone it is no reason to doubt the split.
  if (open.every(({ code }) => code === 'leakage.run')) return { kind: 'note', word: 'runs shared', text }
  return { kind: 'warn', word: 'leaks', text }
}
