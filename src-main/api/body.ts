import type { Context } from 'hono'
import * as v from 'valibot'
import { MindEyeError } from '../base/errors.ts'
import { wording } from '../base/wording.ts'

/** The JSON body of a request, checked; throws an input error that names the field. */
export async function bodyOf<S extends v.GenericSchema>(c: Context, schema: S): Promise<v.InferOutput<S>> {
  const raw: unknown = await c.req.json().catch(() => undefined)
  const parsed = v.safeParse(schema, raw)
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
