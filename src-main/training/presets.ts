import { getDotPath } from 'valibot'
import { MindEyeError } from '../base/errors.ts'
import { wording } from '../base/wording.ts'
import { needsPack, parseTraining, trainingFields } from './fields.ts'
import type { TrainingConfig, TrainingOptions } from './fields.ts'

export interface Preset {
  id: string
  /** When to choose it, one sentence. */
  purpose: string
  /** Id of the pack that is taken where none is named. */
  pack?: string
  options: TrainingOptions
}

const smallNetwork: TrainingOptions = {
  hidden: 256,
  blocks: 2,
  projectorHidden: 256,
  epochs: 100,
  maxLr: 1e-3,
  warmUp: 0.1,
  mixShare: 1 / 3,
  mixTemperature: 0.1,
  softTemperatureStart: 0.08,
  softTemperatureEnd: 0.12,
  regressionWeight: 3,
}

/** Where each preset departs from the defaults of `trainingFields`, which are the paper's. */
export const presets: readonly Preset[] = [
  {
    id: 'paper-subj01',
    purpose: 'the published high-level model: all 257 CLIP tokens, hidden width 4096, with the diffusion prior',
    options: { targets: 'clip', items: 'stimulus', tokens: 257, width: 768, augment: true, prior: true },
  },
  {
    id: 'paper-1x768',
    purpose: 'the published smaller model that decodes the final CLIP embedding, for retrieval from huge galleries',
    options: { targets: 'clip', items: 'stimulus', tokens: 1, width: 768, augment: true, prior: true },
  },
  {
    id: 'paper-low-level',
    purpose: 'the published low-level model: voxels to the latent of a blurry image, beside the high-level one',
    options: {
      method: 'low-level',
      items: 'stimulus',
      dropoutBlocks: 0.25,
      batchSize: 8,
      epochs: 120,
      maxLr: 5e-4,
      warmUp: 2 / 120,
    },
  },
  {
    id: 'small-study',
    purpose: 'studies of about 100 trials without repeats to average',
    options: { ...smallNetwork, pictures: true },
  },
  {
    id: 'demo',
    purpose: 'the simulated subject: all tokens of the demo pack with the diffusion prior, minutes on two cores',
    pack: 'demo',
    options: {
      ...smallNetwork,
      ...{ targets: 'clip', items: 'stimulus', tokens: 17, width: 64, hidden: 512, projectorHidden: 512, epochs: 60 },
      ...{ prior: true, priorDepth: 2, priorHeads: 4, priorHeadDim: 32 },
    },
  },
  {
    id: 'demo-low-level',
    purpose:
      'the simulated subject: to the latents of the demo pack’s autoencoder, without the contrast, for which it has no teacher',
    pack: 'demo',
    options: {
      ...{ method: 'low-level', items: 'stimulus', latentChannels: 8, mapSide: 2, upsamplerWidth: 32 },
      ...{ hidden: 256, blocks: 2, contrast: false, batchSize: 16, epochs: 40, maxLr: 1e-3, warmUp: 0.1 },
    },
  },
  {
    id: 'ridge',
    purpose:
      'the sanity check of the field: ridge regression to the same targets, alpha per target by cross-validation',
    options: { method: 'ridge' },
  },
]

const presetOf = (id: string): Preset => {
  const preset = presets.find((candidate) => candidate.id === id)
  if (preset) return preset
  throw new MindEyeError({
    kind: 'input',
    where: '--preset',
    expected: presets.map((p) => p.id).join(', '),
    found: `'${id}'`,
    fix: 'Choose one of these; single options are changed with --set name=value.',
  })
}

/** The pack that a training from a preset takes where none is named: the preset's, if these options need one. */
export const defaultPack = (id: string, config: TrainingConfig): string | undefined =>
  needsPack(config) ? presetOf(id).pack : undefined

/** `--set` texts as numbers and booleans where they are such. */
const plain = (text: string): unknown => {
  if (text === 'true' || text === 'false') return text === 'true'
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
}

/** `['hidden=512', …]` by name; throws an input error where there is no `=`. */
export function parseSet(items: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    items.map((item) => {
      const at = item.indexOf('=')
      if (at > 0) return [item.slice(0, at).trim(), item.slice(at + 1).trim()]
      throw new MindEyeError({
        kind: 'input',
        where: '--set',
        expected: 'name=value',
        found: `'${item}'`,
        fix: 'For example --set hidden=512.',
      })
    }),
  )
}

/** An option that cannot be as it was given. */
export interface OptionProblem {
  option: string
  /** What the option takes; for an unknown one, which there are. */
  expected: string
  found: string
}

/** The options of a preset with some overridden by text, or everything that is wrong with these. Throws when there is no such preset. */
export function checkPreset(
  id: string,
  overrides: Record<string, string> = {},
): { config: TrainingConfig } | { problems: OptionProblem[] } {
  const preset = presetOf(id)
  const given = Object.fromEntries(Object.entries(overrides).map(([name, text]) => [name, plain(text)]))
  const parsed = parseTraining({ ...preset.options, ...given })
  if (parsed.success) return { config: parsed.output }
  const known = Object.keys(trainingFields)
  const problems = parsed.issues.map((issue): OptionProblem => {
    const option = getDotPath(issue) ?? ''
    if (known.includes(option)) return { option, expected: wording(issue), found: overrides[option] ?? issue.received }
    return { option, expected: `one of ${known.join(', ')}`, found: option }
  })
  return { problems }
}

/**
 * The options of a preset with some overridden by text (from the command line). Throws an input error that names the
 * option and what it takes.
 */
export function presetConfig(id: string, overrides: Record<string, string> = {}): TrainingConfig {
  const checked = checkPreset(id, overrides)
  if ('config' in checked) return checked.config
  const { option, expected, found } = checked.problems[0]
  throw new MindEyeError({
    kind: 'input',
    where: `--set ${option}`,
    expected,
    found: `'${found}'`,
    fix: `\`mindeye presets ${id}\` lists every option with its meaning.`,
  })
}
