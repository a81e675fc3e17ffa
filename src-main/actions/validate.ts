import * as v from 'valibot'
import { MindEyeError } from '../base/errors.ts'
import type { Action, InputSchema } from './action.ts'

/**
 * The input as the action wants it. Throws a `MindEyeError` of kind `input` that names the first wrong field in the host's
 * own way (`--split`, `split`) and says what is wrong with the others.
 */
export async function validateInput<S extends InputSchema>(
  action: Action<S>,
  raw: Record<string, unknown>,
  nameOf: (field: string) => string = (field) => field,
): Promise<v.InferOutput<S>> {
  const { success, output, issues } = await v.safeParseAsync(action.input, raw)
  if (success) return output
  const told = issues.map((issue) => tell(issue, nameOf))
  const [{ where, expected, found }, ...others] = told
  const fix = others.length
    ? `Also ${others.map((o) => `${o.where}: expected ${o.expected}, found ${o.found}`).join('; ')}.`
    : undefined
  throw new MindEyeError({ kind: 'input', where, expected, found, fix })
}

function tell(issue: v.GenericIssue, nameOf: (field: string) => string) {
  const [first] = issue.path ?? []
  const where = first ? nameOf(String(first.key)) : 'the input'
  // A check over several fields points at one of them; its input is then the whole object.
  const value = issue.path ? issue.path.at(-1)?.value : issue.input
  const isMissing = value === undefined
  const found = isMissing ? 'nothing' : typeof value === 'object' ? issue.received : JSON.stringify(value)
  const expected = isMissing && issue.type !== 'check' ? 'a value' : wording(issue)
  return { where, expected, found: found ?? 'something else' }
}

const kinds: Record<string, string> = {
  number: 'a number',
  integer: 'a whole number',
  string: 'a text',
  boolean: 'true or false',
  min_value: 'at least',
  max_value: 'at most',
  gt_value: 'more than',
  lt_value: 'less than',
  min_length: 'a length of at least',
  max_length: 'a length of at most',
}

/** What valibot wanted, in words: its `expected` is `number`, `>=1`, `("a" | "b")`; a check of our own brings its message. */
function wording(issue: v.GenericIssue): string {
  if (issue.type === 'picklist')
    return `one of ${(issue.expected ?? '').replaceAll(/[()"]/g, '').replaceAll(' | ', ', ')}`
  // A pattern says little; its message says it in words.
  if (issue.type === 'regex') return issue.message
  const limit = issue.requirement
  const kind = kinds[issue.type]
  if (kind && (typeof limit === 'number' || typeof limit === 'string')) return `${kind} ${limit}`
  if (kind) return kind
  return issue.expected ?? issue.message
}
