import * as v from 'valibot'
import type { Action } from './action.ts'

/** A field of an action's input, as the command line and a form need it. */
export interface Field {
  name: string
  /** `map` is key=value pairs; `list` holds items of `item`. */
  type: 'string' | 'number' | 'boolean' | 'list' | 'map'
  /** What a list's items or a map's values are. */
  item?: 'string' | 'number' | 'any'
  choices?: readonly string[]
  required: boolean
  default?: unknown
  description: string
}

/** The parts of a valibot schema that we look at; which ones there are depends on its `type`. */
interface Shape {
  type: string
  wrapped?: Shape
  default?: unknown
  item?: Shape
  value?: Shape
  options?: readonly unknown[]
  pipe?: readonly Shape[]
}

/** The fields of the action's input in the order of its schema. */
export function fieldsOf(action: Action): Field[] {
  return describeFields(action.input.entries)
}

/** The fields of any object schema, in its order. */
export function describeFields(entries: v.ObjectEntries): Field[] {
  return Object.entries(entries).map(([name, schema]) => describe(name, schema as unknown as Shape))
}

function describe(name: string, schema: Shape): Field {
  let inner = schema
  let required = true
  let preset: unknown
  let description = descriptionOf(schema)
  while (inner.wrapped) {
    required = false
    preset ??= typeof inner.default === 'function' ? undefined : inner.default
    inner = inner.wrapped
    description ||= descriptionOf(inner)
  }
  return { name, required, default: preset, description, ...typeOf(inner) }
}

function typeOf(schema: Shape): Pick<Field, 'type' | 'item' | 'choices'> {
  switch (schema.type) {
    case 'number':
    case 'boolean':
      return { type: schema.type }
    case 'picklist':
      return { type: 'string', choices: schema.options as string[] }
    case 'array':
      return { type: 'list', item: schema.item?.type === 'number' ? 'number' : 'string' }
    case 'record':
      return { type: 'map', item: schema.value?.type === 'string' ? 'string' : 'any' }
    default:
      return { type: 'string' }
  }
}

function descriptionOf(schema: Shape): string {
  return v.getDescription(schema as unknown as v.GenericSchema) ?? ''
}
