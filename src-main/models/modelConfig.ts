import * as v from 'valibot'
import { formatError } from '../base/errors.ts'
import { wording } from '../base/wording.ts'

/** A size in a config.json. */
export const count = v.pipe(v.number(), v.integer(), v.minValue(1))

/** The parts of a published config.json that a model needs; throws a format error for the first one that is not as the schema says. */
export function parseConfig<S extends v.GenericSchema>(schema: S, json: unknown, where: string): v.InferOutput<S> {
  const parsed = v.safeParse(schema, json)
  if (parsed.success) return parsed.output
  const [issue] = parsed.issues
  throw formatError(
    where,
    v.getDotPath(issue) ?? 'content',
    wording(issue),
    issue.received,
    'The configuration is not one of this kind of model, or is damaged.',
  )
}
