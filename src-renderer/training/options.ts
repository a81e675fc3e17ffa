import type { ListedOption, ListedPreset } from '../../src-main/actions/presets.ts'

export type Value = string | number | boolean
/** Values of all options by name. */
export type Values = Record<string, Value>

export interface OptionGroup {
  title: string
  options: ListedOption[]
}

const groups: readonly { title: string; names: readonly string[] }[] = [
  { title: 'Task', names: ['method', 'items', 'samples', 'zscore', 'targets', 'tokens', 'width', 'augment'] },
  { title: 'Network', names: ['hidden', 'blocks', 'projectorHidden', 'dropoutFirst', 'dropoutBlocks'] },
  { title: 'Course', names: ['epochs', 'batchSize', 'maxLr', 'warmUp', 'weightDecay', 'checkpointSeconds'] },
  {
    title: 'Contrast and mixing',
    names: [
      ...['mixing', 'mixShare', 'mixBeta', 'mixProbability', 'mixTemperature'],
      ...['softTemperatureStart', 'softTemperatureEnd', 'regressionWeight'],
    ],
  },
  {
    title: 'Diffusion prior',
    names: ['prior', 'priorWeight', 'priorDepth', 'priorHeads', 'priorHeadDim', 'conditionDrop'],
  },
  {
    title: 'Study autoencoder',
    names: ['encoderPixels', 'encoderSteps', 'encoderKl', 'encoderShift', 'encoderRotation', 'encoderScale'],
  },
  { title: 'Pictures of small studies', names: ['pictures', 'blendFolds'] },
  {
    title: 'Low level',
    names: [
      'mapSide',
      'latentChannels',
      'upsamplerWidth',
      'contrast',
      'features',
      'contrastWeight',
      'contrastTemperature',
    ],
  },
]

/** All options in groups of one purpose; what no group names comes last. */
export function groupOptions(options: readonly ListedOption[]): OptionGroup[] {
  const named = new Set(groups.flatMap(({ names }) => names))
  const rest = options.filter(({ name }) => !named.has(name)).map(({ name }) => name)
  return [...groups, { title: 'Other', names: rest }]
    .map(({ title, names }) => ({
      title,
      options: names.flatMap((name) => options.filter((option) => option.name === name)),
    }))
    .filter(({ options: own }) => own.length > 0)
}

/** Options whose name, meaning or choices hold every word of the query. */
export function searchOptions(options: readonly ListedOption[], query: string): ListedOption[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  return options.filter(({ name, meaning, unit, choices }) => {
    const text = [name, meaning, unit, ...(choices ?? [])].join(' ').toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

/** The values that a preset gives before anything is changed. */
export const presetValues = (options: readonly ListedOption[], { changes }: Pick<ListedPreset, 'changes'>): Values =>
  Object.fromEntries(options.map(({ name, default: value }) => [name, changes[name] ?? value]))

/** A value as the form shows it and `--set` takes it; numbers such as 1/3 in six digits. */
export const valueText = (value: Value | undefined): string =>
  value === undefined ? '' : typeof value === 'number' ? String(Number(value.toPrecision(6))) : String(value)

/** Why an option has no effect beside the others; undefined when it has. */
export function unusedBecause(name: string, values: Values): string | undefined {
  const { method, targets, prior, contrast, mixing } = values
  const group = groups.find(({ names }) => names.includes(name))?.title
  const isRidge = method === 'ridge'
  const isLowLevel = method === 'low-level'
  if (group === 'Low level' && !isLowLevel) return 'only used by method low-level'
  const isOfPixels = name === 'encoderPixels' && isRidge && values.pictures === true
  if (group === 'Study autoencoder' && (isLowLevel || targets !== 'study') && !isOfPixels)
    return 'only used with targets study'
  if (group === 'Pictures of small studies') {
    if (isLowLevel || (!isRidge && targets !== 'study'))
      return 'only used by ridge regression, and by method mindeye with targets study'
    if (isRidge && name !== 'pictures') return 'not used by ridge regression'
    if (name !== 'pictures' && values.pictures === false) return 'only used where pictures are decoded'
  }
  if (isRidge && ['Network', 'Course', 'Contrast and mixing', 'Diffusion prior'].includes(group ?? ''))
    return 'not used by ridge regression'
  if (isLowLevel && ['Contrast and mixing', 'Diffusion prior'].includes(group ?? ''))
    return 'not used by method low-level'
  if (isLowLevel && ['targets', 'tokens', 'width', 'augment', 'projectorHidden'].includes(name))
    return 'not used by method low-level'
  if (name === 'augment' && (isRidge || targets !== 'clip')) return 'only used with targets clip'
  if (group === 'Diffusion prior' && name !== 'prior' && prior === false) return 'only used with the prior'
  if (['features', 'contrastWeight', 'contrastTemperature'].includes(name) && contrast === false)
    return 'only used with the contrast'
  if (['mixBeta', 'mixProbability'].includes(name) && mixing === 'none') return 'only used with mixing'
  return undefined
}
