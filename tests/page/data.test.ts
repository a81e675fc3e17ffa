import { describe, expect, it } from 'vitest'
import { describeDrag } from '../../src-renderer/subjects/dragWords.ts'
import { guessMapping, mappingItems, mappingLack } from '../../src-renderer/subjects/mappingGuess.ts'
import { Meter } from '../../src-renderer/subjects/uploadMeter.ts'
import { parseMapping } from '../../src-main/subjects/mapping.ts'
import type { ProposedArray } from '../../src-main/subjects/proposals.ts'

const arrays = (shapes: Record<string, number[]>): ProposedArray[] =>
  Object.entries(shapes).map(([name, shape]) => ({ name, file: 'a.mat', dtype: 'float32', shape }))

describe('the mapping that names suggest', () => {
  it('tells voxels, pictures, ids and runs, train and test', () => {
    const guess = guessMapping(
      arrays({
        betas_train: [20, 30],
        betas_test: [6, 30],
        StimTrn: [20, 784],
        stimTest: [6, 784],
        stim_id: [20, 1],
        runTrn: [1, 20],
        what: [3, 3],
      }),
    )
    expect(guess).toEqual({
      betas_train: 'voxels.train',
      betas_test: 'voxels.test',
      StimTrn: 'stimuli.train',
      stimTest: 'stimuli.test',
      stim_id: 'ids',
      runTrn: 'run.train',
    })
    expect(mappingLack(Object.values(guess))).toBeUndefined()
    expect(parseMapping(mappingItems(guess))).toMatchObject({ 'voxels.train': 'betas_train', ids: 'stim_id' })
  })

  it('gives a key to one array only, and looks at shapes', () => {
    expect(guessMapping(arrays({ fmri: [5, 4], fmri2: [5, 4], images: [5] }))).toEqual({ fmri: 'voxels' })
  })

  it.each([
    [[], 'Say which array holds the voxels and which the pictures.'],
    [['stimuli'], 'Say which array holds the voxels.'],
    [['voxels.train', 'voxels.test'], 'Say which array holds the pictures.'],
    [['voxels', 'voxels.test', 'stimuli'], 'voxels is either one array, or one for train and one for test.'],
    [['voxels', 'stimuli'], undefined],
  ])('%j lacks: %s', (keys, lack) => expect(mappingLack(keys)).toBe(lack))
})

describe('a drag before its release', () => {
  it('is told by the types that a browser knows', () => {
    const files = (...types: string[]) => types.map((type) => ({ kind: 'file', type }))
    expect(describeDrag(files('image/png', 'image/jpeg', 'application/x-tar'))).toBe('2 pictures, 1 archive')
    expect(describeDrag(files('', ''))).toBe('2 files or folders')
    expect(describeDrag([{ kind: 'string', type: 'text/plain' }])).toBe('Files')
  })
})

describe('the rate of an upload', () => {
  it('is that of the last seconds, without what was there before', () => {
    const meter = new Meter(1000)
    meter.add(500, false, 0)
    expect(meter.progress()).toEqual({ done: 500, total: 1000, rate: undefined, left: undefined })
    meter.add(100, true, 1000)
    meter.add(100, true, 2000)
    expect(meter.progress()).toEqual({ done: 700, total: 1000, rate: 100, left: 3 })
    for (let s = 3; s <= 12; s++) meter.add(20, true, s * 1000)
    expect(meter.progress()).toMatchObject({ done: 900, rate: 20, left: 5 })
  })
})
