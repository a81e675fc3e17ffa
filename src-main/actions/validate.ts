import * as v from 'valibot'
import { MindEyeError } from '../base/errors.ts'
import { wording } from '../base/wording.ts'
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
