import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'
import { disk } from '../../src-main/base/files.ts'
import { decodeImage } from '../../src-main/formats/images.ts'
import type { FloatPicture, NewTrial, SetSettings } from '../../src-main/reconstruction/sets.ts'
import {
  findSet,
  listSets,
  openSet,
  picturePath,
  readPicture,
  readTrial,
  setId,
  writeTrial,
} from '../../src-main/reconstruction/sets.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'sets-'))
afterAll(() => fs.rmSync(base, { recursive: true, force: true }))

let run: string
let count = 0
beforeEach(() => {
  run = join(base, `${count++}`)
  fs.mkdirSync(run)
})

const settings: SetSettings = { kinds: ['low', 'high'], steps: 20, guidance: 3.5 }

/** 2 x 3 pixels; some values lie outside of [0, 1]. */
const picture = (offset: number): FloatPicture => ({
  height: 2,
  width: 3,
  data: Float32Array.from({ length: 18 }, (_, i) => offset + (i - 2) / 12),
})

const trial = (number: number): NewTrial => ({
  trial: number,
  stimulus: `image-${number}`,
  fold: 1,
  seconds: 2.5,
  kinds: {
    low: { chosen: 0, scores: [], candidates: [picture(0)] },
    high: { chosen: 1, scores: [0.25, 0.5], candidates: [picture(0.1), picture(0.2)] },
  },
  stages: { latent: { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) } },
})

function refusal(act: () => unknown): MindEyeError['parts'] {
  try {
    act()
  } catch (error) {
    if (error instanceof MindEyeError) return error.parts
    throw error
  }
  throw new Error('nothing was refused')
}

const clamped = ({ data }: FloatPicture) => data.map((value) => Math.min(1, Math.max(0, value)))

describe('a set of reconstructions', () => {
  test('keeps what was written: numbers, pictures, candidates, facts', async () => {
    const set = openSet(run, settings)
    expect(set).toMatchObject({ id: setId(settings), trials: [], kinds: ['low', 'high'], settings })
    await writeTrial(set, trial(12))
    await writeTrial(set, trial(3))

    const again = findSet(run, set.id)
    expect(again.trials).toEqual([3, 12])
    expect(readTrial(again, 12)).toEqual({
      ...{ trial: 12, stimulus: 'image-12', fold: 1, seconds: 2.5 },
      kinds: { low: { chosen: 0, scores: [] }, high: { chosen: 1, scores: [0.25, 0.5] } },
    })
    expect(readPicture(again, 12, 'high')).toEqual({ height: 2, width: 3, data: clamped(picture(0.2)) })
    for (const [candidate, offset] of [
      [undefined, 0.2],
      [0, 0.1],
      [1, 0.2],
    ] as const) {
      const png = await decodeImage(fs.readFileSync(picturePath(again, 12, 'high', candidate)), 'high.png')
      expect([png.height, png.width, png.channels]).toEqual([2, 3, 3])
      expect([...png.data]).toEqual(Array.from(clamped(picture(offset)), (value) => Math.round(255 * value)))
    }
    expect(fs.readdirSync(join(again.folder, '12')).sort()).toEqual([
      ...['high-1.png', 'high-2.png', 'high.npy', 'high.png', 'low.npy', 'low.png'],
      ...['result.json', 'stages.safetensors'],
    ])
  })

  test('is the same for the same settings in any order, another for others; the newest comes first', async () => {
    const first = openSet(run, settings)
    expect(openSet(run, { guidance: 3.5, steps: 20, kinds: ['low', 'high'] }).id).toBe(first.id)
    await new Promise((resolve) => setTimeout(resolve, 5))
    const second = openSet(run, { ...settings, steps: 21 })
    expect(listSets(run).map(({ id }) => id)).toEqual([second.id, first.id])
    expect(listSets(join(base, 'nowhere'))).toEqual([])
  })

  test('shows no half-written trial and keeps one that is there', async () => {
    const set = openSet(run, settings)
    const broken = trial(5)
    await expect(writeTrial(set, { ...broken, kinds: { low: broken.kinds.low } })).rejects.toThrow()
    const { rename } = disk
    disk.rename = () => {
      throw new Error('the disk is full')
    }
    await expect(writeTrial(set, trial(5))).rejects.toThrow('the disk is full')
    disk.rename = rename
    expect(fs.readdirSync(set.folder)).toEqual(['settings.json'])
    await writeTrial(set, trial(5))
    await writeTrial(set, { ...trial(5), seconds: 99 })
    expect(readTrial(set, 5).seconds).toBe(2.5)
    expect(findSet(run, set.id).trials).toEqual([5])
    expect(fs.readdirSync(set.folder).sort()).toEqual(['5', 'settings.json'])
  })

  test('says what is missing and what is damaged', async () => {
    expect(refusal(() => findSet(run, 'abc'))).toMatchObject({ kind: 'input', found: 'none' })
    const set = openSet(run, settings)
    expect(refusal(() => findSet(run, 'abc'))).toMatchObject({ expected: `one of ${set.id}`, found: "'abc'" })
    expect(refusal(() => readTrial(set, 1))).toMatchObject({ kind: 'state', found: 'no trial yet' })
    await writeTrial(set, trial(1))
    const now = findSet(run, set.id)
    expect(refusal(() => readTrial(now, 2)).found).toBe('trials 1')
    expect(refusal(() => readPicture(now, 1, 'combined')).found).toBe('only low, high')
    fs.writeFileSync(join(set.folder, 'settings.json'), '{')
    expect(refusal(() => listSets(run))).toMatchObject({ kind: 'format', field: 'content' })
  })
})
