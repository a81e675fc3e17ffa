import type * as v from 'valibot'

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

/** What a schema wanted, in words: valibot's own `expected` is `number`, `>=1`, `("a" | "b")`; a check of ours brings its message. */
export function wording(issue: v.GenericIssue): string {
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
