import { MindEyeError } from '../base/errors.ts'
import type { Mapping } from './study.ts'

/** What `--map` can name; `.train` and `.test` are the shipped parts, without one all trials belong to no part. */
export const MAP_KEYS: Readonly<Record<string, string>> = {
  voxels: 'betas (trials, V)',
  'voxels.train': 'betas of the training trials (trials, V)',
  'voxels.test': 'betas of the test trials',
  stimuli: 'pictures: one per trial, or one per image when ids are given',
  'stimuli.train': 'pictures of the training trials',
  'stimuli.test': 'pictures of the test trials',
  ids: 'index of each trial’s picture among the stimuli, from 0',
  'ids.train': 'the same for the training trials',
  'ids.test': 'the same for the test trials',
  run: 'scanner run of each trial',
  'run.train': 'scanner run of each training trial',
  'run.test': 'scanner run of each test trial',
  session: 'session of each trial',
  'session.train': 'session of each training trial',
  'session.test': 'session of each test trial',
  pixels: '`rows` (default) or `columns`: how flat pictures are stored',
  subject: 'number of the subject in files that hold several, e.g. 1',
}

/** `['voxels.train=betas', …]` as a mapping; throws an input error for an unknown key or a missing `=`. */
export function parseMapping(items: readonly string[]): Mapping {
  const map: Mapping = {}
  for (const item of items.flatMap((text) => text.split(/[\s,]+(?=[a-z.]+=)/)).filter(Boolean)) {
    const at = item.indexOf('=')
    const key = item.slice(0, at)
    if (at < 1 || !Object.hasOwn(MAP_KEYS, key) || at === item.length - 1)
      throw new MindEyeError({
        kind: 'input',
        where: '--map',
        expected: `KEY=NAME with KEY one of ${Object.keys(MAP_KEYS).join(', ')}`,
        found: `'${item}'`,
        fix: 'For example --map voxels.train=betas stimuli.train=images.',
      })
    map[key] = item.slice(at + 1)
  }
  return map
}
