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
