import * as v from 'valibot'
import type { TrainingConfig } from '../training/fields.ts'
import { trainingFields } from '../training/fields.ts'
import { defaultPack, presetConfig, presets } from '../training/presets.ts'
import { defineAction } from './action.ts'
import type { Field } from './fields.ts'
import { describeFields } from './fields.ts'
import { formatTable } from './table.ts'

type Value = string | number | boolean

export interface ListedPreset {
  id: string
  /** When to choose it. */
  purpose: string
  /** Where it departs from the defaults. */
  changes: Record<string, Value>
  /** Id of the pack that is taken where none is named. */
  pack?: string
  /** What it needs beside the subject. */
  needs?: string
}

export interface ListedOption {
  name: string
  meaning: string
  unit: string
  type: Field['type']
  choices?: readonly string[]
  default: Value
}

export interface ListedPresets {
  presets: ListedPreset[]
  options: ListedOption[]
}

export const presetsAction = defineAction({
  name: 'presets',
  summary: 'List the presets of training, or one with all its options, their meanings and units.',
  input: v.object({
    preset: v.optional(
      v.pipe(v.picklist(presets.map(({ id }) => id)), v.description('only this one, with the values it gives')),
    ),
  }),
  positional: ['preset'],
  run: async (_ctx, { preset }): Promise<ListedPresets> => ({
    presets: presets
      .filter(({ id }) => preset === undefined || id === preset)
      .map(({ id, purpose, options }) => ({
        id,
        purpose,
        changes: options as Record<string, Value>,
        pack: defaultPack(id, presetConfig(id)),
        needs: needsOf(presetConfig(id)),
      })),
    options: describeFields(trainingFields).map(({ name, description, type, choices, default: value }) => ({
      name,
      meaning: description,
      unit: unitOf(name as keyof typeof trainingFields),
      type,
      choices,
      default: value as Value,
    })),
  }),
  format: ({ presets, options }) => {
    const [only] = presets
    const isOne = presets.length === 1
    const rows = options.map(({ name, meaning, unit, choices, default: value }) => [
      name,
      ...(isOne ? [`${name in only.changes ? '*' : ' '} ${round(only.changes[name] ?? value)}`] : []),
      round(value),
      unit,
      choices ? `${meaning} (${choices.join(', ')})` : meaning,
    ])
    const headers = ['OPTION', ...(isOne ? ['  VALUE'] : []), 'DEFAULT', 'UNIT', 'MEANING']
    return [
      ...presets.flatMap(({ id, purpose, changes, needs }) => [
        `${id}: ${purpose}`,
        ...(needs ? [`  needs ${needs}`] : []),
        ...(isOne ? [] : [`  ${settings(changes)}`]),
      ]),
      '',
      formatTable(headers, rows),
      '',
      `${isOne ? '* differs from the default. ' : ''}Change an option with \`mindeye train --preset ${isOne ? only.id : 'NAME'} --set option=value\`.`,
    ].join('\n')
  },
})

/** The networks that a training with these options takes from a pack. */
function needsOf({ method, targets }: TrainingConfig): string | undefined {
  if (method === 'low-level') return 'a pack (--pack) with low_level_vae and, unless contrast=false, teacher'
  return targets === 'clip' ? 'a pack (--pack) with image_encoder' : undefined
}

function unitOf(name: keyof typeof trainingFields): string {
  const { unit } = v.getMetadata(trainingFields[name].wrapped)
  return typeof unit === 'string' ? unit : ''
}

const settings = (changes: Record<string, Value>): string =>
  Object.entries(changes)
    .map(([name, value]) => `${name}=${round(value)}`)
    .join(' ')

/** Numbers such as 1/3 in four digits. */
const round = (value: Value): string => String(typeof value === 'number' ? Number(value.toPrecision(4)) : value)
