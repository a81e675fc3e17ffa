import type { ListedOption } from '../../src-main/actions/presets.ts'
import type { RunConfig } from '../../src-main/actions/train.ts'
import type { BackendInfo } from '../../src-main/engine/backend.ts'
import type { RunRecord } from '../../src-main/workspace/index.ts'
import { valueText, type Value } from './options.ts'

/** The options of a run with what computed it, once that is known. */
export type TrainedConfig = Partial<RunConfig> & { backend?: BackendInfo }

export const configOf = (run: RunRecord): TrainedConfig => run.config as unknown as TrainedConfig

export interface Difference {
  name: string
  meaning: string
  unit: string
  /** A value per run, in their order; empty where a run has none. */
  values: string[]
}

/** What the runs do not have in common: what they were told, then what computed them. */
export function differences(runs: readonly RunRecord[], options: readonly ListedOption[]): Difference[] {
  const configs = runs.map(configOf)
  const optionNames = [...new Set(configs.flatMap(({ training }) => Object.keys(training ?? {})))]
  const option = (name: string) => options.find((candidate) => candidate.name === name)
  const rows: Difference[] = [
    { name: 'subject', meaning: 'whose trials are decoded', unit: '', values: runs.map(({ subject }) => subject) },
    { name: 'preset', meaning: 'the options it started from', unit: '', values: runs.map(({ preset }) => preset) },
    { name: 'split', meaning: 'what is held out', unit: '', values: configs.map(({ split }) => split ?? '') },
    {
      name: 'seed',
      meaning: 'everything random follows from it',
      unit: '',
      values: configs.map(({ seed }) => text(seed)),
    },
    { name: 'pack', meaning: 'pretrained image networks', unit: '', values: configs.map(({ pack }) => pack?.id ?? '') },
    ...optionNames.map((name) => ({
      name,
      meaning: option(name)?.meaning ?? '',
      unit: option(name)?.unit ?? '',
      values: configs.map(({ training }) => valueText((training as Record<string, Value> | undefined)?.[name])),
    })),
    ...backendFields.map(([name, meaning]) => ({
      name,
      meaning,
      unit: '',
      values: configs.map(({ backend }) => text(backend?.[name])),
    })),
  ]
  return rows.filter(({ values }) => values.some((value) => value !== values[0]))
}

const backendFields = [
  ['name', 'what computes'],
  ['device', 'on which it computes'],
  ['tensorflowVersion', 'version of TensorFlow'],
  ['threads', 'threads inside one operation; they change the last bits'],
  ['oneDnn', 'kernels of oneDNN; they change the last bits'],
  ['deterministic', 'whether kernels give the same from run to run'],
  ['precision', 'of matrix products'],
] as const satisfies readonly (readonly [keyof BackendInfo, string])[]

const text = (value: string | number | boolean | undefined): string => (value === undefined ? '' : String(value))

/** What a run was told beside its preset, e.g. `hidden 512`. */
export function changedOptions(run: RunRecord, presetOptions: Record<string, Value>): { name: string; value: Value }[] {
  const training = (configOf(run).training ?? {}) as Record<string, Value>
  return Object.entries(training)
    .filter(([name, value]) => name in presetOptions && presetOptions[name] !== value)
    .map(([name, value]) => ({ name, value }))
}

/** What computed a run, in words; undefined before its engine has started. */
export function deviceText(run: RunRecord): string | undefined {
  const { backend } = configOf(run)
  if (!backend) return undefined
  const name = backend.name === 'tensorflow' ? `TensorFlow ${backend.tensorflowVersion}` : 'plain JavaScript'
  return `${backend.device} · ${name}${backend.gpu ? '' : `, ${backend.threads} threads`}`
}
