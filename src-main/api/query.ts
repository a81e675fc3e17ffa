import type { Context } from 'hono'
import * as v from 'valibot'
import { MindEyeError } from '../base/errors.ts'
import { wording } from '../base/wording.ts'

/** The query of a request, checked; throws an input error that names the parameter. */
export function queryOf<S extends v.GenericSchema>(c: Context, schema: S): v.InferOutput<S> {
  const parsed = v.safeParse(schema, c.req.query())
  if (parsed.success) return parsed.output
  const [issue] = parsed.issues
  throw new MindEyeError({
    kind: 'input',
    where: c.req.path,
    field: v.getDotPath(issue) ?? undefined,
    expected: wording(issue),
    found: issue.received,
  })
}

/** A whole number in a query, which is text. */
export const wholeNumber = (least = 0) =>
  v.pipe(v.string(), v.regex(/^\d{1,9}$/, 'a whole number'), v.transform(Number), v.minValue(least))
