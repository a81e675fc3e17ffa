import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Decoded } from '../../src-main/actions/decode.ts'
import type { Demo } from '../../src-main/actions/demo.ts'
import type { Evaluation } from '../../src-main/actions/evaluate.ts'
import type { ListedPresets } from '../../src-main/actions/presets.ts'
import type { Retrieved } from '../../src-main/actions/retrieve.ts'
import type { RunsResult } from '../../src-main/actions/runs.ts'
import type { ListedSubject } from '../../src-main/actions/subjects.ts'
import type { Trained } from '../../src-main/actions/train.ts'
import { encodePng } from '../../src-main/formats/images.ts'
import { encodeNpy, openNpy } from '../../src-main/formats/npy.ts'
import { openFile } from '../../src-main/formats/source.ts'
import { openTable } from '../../src-main/formats/table.ts'
import { openSubject, type Subject } from '../../src-main/subjects/subject.ts'
import { loadRunTest } from '../../src-main/training/foldTest.ts'
import { Workspace } from '../../src-main/workspace/index.ts'
import { ask, mindeye, refusal } from './realCli.ts'

const base = fs.mkdtempSync(join(tmpdir(), 'main-job-'))
const workspace = join(base, 'work space')
const SUBJECT = 'simulated-24'
/** A demo small enough for a test; what it learns is not looked at. */
const small = ['epochs=2', 'hidden=32', 'projectorHidden=32', 'priorDepth=1', 'priorHeads=2', 'batchSize=8']
const demoArgs = ['demo', '--workspace', workspace, '--images', '24', ...small.flatMap((option) => ['--set', option])]

let demo: Demo
let subject: Subject
/** The command `name` on the demo's MindEye run. */
const on = (name: string, ...args: string[]): [string, ...string[]] => [
  name,
  '--workspace',
  workspace,
  '--run',
  demo.mindeye.run,
  ...args,
]

beforeAll(async () => {
  demo = await ask<Demo>(...demoArgs)
  subject = await openSubject(join(workspace, 'subjects', SUBJECT))
}, 240_000)

afterAll(() => {
  subject?.close()
  fs.rmSync(base, { recursive: true, force: true })
})

describe('demo', () => {
  test('simulates, imports, trains the decoders on one task, reconstructs, scores and draws the sheet', () => {
    expect(demo.subject).toBe(SUBJECT)
    expect(demo.stages.map(({ seconds }) => typeof seconds)).toEqual(Array(8).fill('number'))
    const kinds = [demo.low, demo.high, demo.mindeye, demo.ridge].map(({ run, kind }) => [
      run === demo.mindeye.run,
      kind,
    ])
    expect(kinds).toEqual([
      [true, 'low'],
      [true, 'high'],
      [true, 'combined'],
      [false, 'low'],
    ])
    for (const { pixcorr, reconstructions } of [demo.low, demo.high, demo.mindeye, demo.ridge])
      expect([reconstructions, pixcorr!.n]).toEqual([12, 12])
    expect([demo.mindeye.pool, demo.ridge.pool]).toEqual([12, 12])
    expect(fs.readFileSync(demo.figure).subarray(0, 5).toString()).toBe('%PDF-')
    expect(fs.readFileSync(demo.sheet).subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n')
    const images = [demo.mindeye, demo.ridge].map(({ run }) => loadRunTest(join(workspace, 'runs', run))[0].image)
    expect(images[0]).toEqual(images[1])
  })

  test('called again, it repeats nothing and says so', async () => {
    const { out, err, code } = await mindeye(...demoArgs)
    expect({ err, code }).toEqual({ err: '— reconstruct\nreconstruct\n— score\n— draw the overview\n', code: 0 })
    expect(out.match(/was done before/g)).toHaveLength(5)
    expect(out).toContain('The demo was finished before')
    const { retrieval } = demo.mindeye
    expect(out).toMatch(new RegExp(`find the image +top-3 +${(100 * retrieval.image.top3.mean).toFixed(1)} %`))
    expect(out).toContain(`retrieve --workspace '${workspace}' --run ${demo.mindeye.run}`)
  })
})

describe('retrieve and evaluate tell the same story', () => {
  test.each(['image', 'brain'] as const)('direction %s', async (direction) => {
    const [evaluation, retrieved] = await Promise.all([
      ask<Evaluation>(...on('evaluate', '--top', '1,3')),
      ask<Retrieved>(...on('retrieve', '--top', '3', '--direction', direction)),
    ])
    expect(evaluation.retrieval).toEqual(demo.mindeye.retrieval)
    expect(retrieved).toMatchObject({ run: demo.mindeye.run, direction, pool: 12, top: 3 })
    expect(retrieved.trials).toHaveLength(12)
    for (const { trial, stimulus, rank, found } of retrieved.trials) {
      expect(subject.stimuli.ids[subject.trials.stimulus[trial]]).toBe(stimulus)
      expect(subject.trials.part[trial]).toBe(1)
      expect(found.map(({ similarity }) => similarity)).toEqual(found.map((f) => f.similarity).sort((a, b) => b - a))
      expect(found.map(({ correct }) => correct)).toEqual(found.map((f) => f.stimulus === stimulus))
      if (Number.isInteger(rank)) expect(found.findIndex(({ correct }) => correct)).toBe(rank! <= 3 ? rank! - 1 : -1)
    }
    for (const [k, score] of [
      [1, evaluation.retrieval[direction].top1],
      [3, evaluation.retrieval[direction].top3],
    ] as const) {
      const hits = retrieved.trials.filter(({ rank }) => rank! <= k).length
      expect(score).toMatchObject({ n: 12, chance: k / 12 })
      expect(Math.abs(score.mean - hits / 12)).toBeLessThan(1e-9)
      expect(score.ci95[0]).toBeLessThanOrEqual(score.mean)
      expect(score.ci95[1]).toBeGreaterThanOrEqual(score.mean)
    }
  })

  test('a small pool holds the right one; a trial stands for its repeats; the sheet shows chosen trials', async () => {
    const held = subject.trials.part.indexOf(1)
    const repeat = subject.trials.stimulus.indexOf(subject.trials.stimulus[held], held + 1)
    const sheet = join(base, 'sheet.png')
    const { pool, trials } = await ask<Retrieved>(
      ...on('retrieve', '--pool', '4', '--top', '9', '--trial', `${repeat}`, '--out', sheet),
    )
    expect(pool).toBe(4)
    expect(trials).toHaveLength(1)
    expect(trials[0].found).toHaveLength(4)
    expect(trials[0].found.filter(({ correct }) => correct)).toHaveLength(1)
    expect(trials[0].stimulus).toBe(subject.stimuli.ids[subject.trials.stimulus[repeat]])
    expect(fs.statSync(sheet).size).toBeGreaterThan(5000)
  })

  test('folds of one run are pooled', async () => {
    const set = ['items=stimulus', 'width=16', 'encoderSteps=20', 'encoderPixels=16'].flatMap((option) => [
      '--set',
      option,
    ])
    const { run, folds } = await ask<Trained>(
      ...['train', '--workspace', workspace, '--subject', SUBJECT, '--preset', 'ridge', '--split', 'kfold:2', ...set],
    )
    expect(folds).toBe(2)
    const { retrieval, pool } = await ask<Evaluation>('evaluate', '--workspace', workspace, '--run', run)
    expect({ pool, n: retrieval.image.top1.n, chance: retrieval.image.top1.chance }).toEqual({
      pool: 36,
      n: 36,
      chance: 1 / 36,
    })
    const trials = join(base, 'one.npy')
    fs.writeFileSync(trials, voxelsOf([0]))
    const error = await refusal('decode', '--workspace', workspace, '--run', run, trials)
    expect(error).toMatchObject({ code: 1, where: '--fold', found: 'nothing' })
    expect(error.expected).toContain('0 to 1')
  }, 30_000)
})

/** Rows of the subject, averaged over the trials of each group, as .npy. */
function voxelsOf(...groups: number[][]): Uint8Array {
  const { voxelCount } = subject.manifest
  const data = new Float32Array(groups.length * voxelCount)
  groups.forEach((rows, i) => {
    const voxels = subject.readVoxels(rows)
    for (let at = 0; at < voxels.length; at++) data[i * voxelCount + (at % voxelCount)] += voxels[at] / rows.length
  })
  return encodeNpy({ dtype: 'float32', shape: [groups.length, voxelCount], data })
}

describe('decode', () => {
  /** The held-out patterns of the demo, as if nobody knew what they are. */
  const heldOut = () => {
    const [{ seen }] = loadRunTest(join(workspace, 'runs', demo.mindeye.run))
    return Array.from(seen, (stimulus) =>
      [...subject.trials.stimulus.keys()].filter((t) => subject.trials.stimulus[t] === stimulus),
    )
  }

  test('gives held-out trials the embeddings that evaluation used, and the nearest images of a gallery', async () => {
    const file = join(base, 'new.npy')
    fs.writeFileSync(file, voxelsOf(...heldOut()))
    const gallery = join(base, 'gallery')
    fs.mkdirSync(gallery)
    for (const [index, id] of subject.stimuli.ids.entries())
      fs.writeFileSync(join(gallery, `${id}.png`), await encodePng(subject.readImages([index])))
    const out = join(base, 'decoded')
    const [own, fromFolder] = await Promise.all([
      ask<Decoded>(...on('decode', file, '--top', '36', '--out', out)),
      ask<Decoded>(...on('decode', file, '--top', '36', '--gallery', gallery)),
    ])
    expect(own).toMatchObject({
      fold: 0,
      trials: 12,
      width: 17 * 64,
      gallery: { images: 36 },
      top: 36,
      warnings: [],
      out,
    })
    expect(own.source).toBe('new of new.npy')
    expect(JSON.stringify(own)).not.toMatch(/correct|rank|score/)

    const [test] = loadRunTest(join(workspace, 'runs', demo.mindeye.run))
    const npy = openNpy(openFile(join(out, 'embeddings.npy')))
    const embeddings = npy.arrays[0].read()
    npy.close()
    expect(embeddings.shape).toEqual([12, 17 * 64])
    test.brain.forEach((value, i) => expect(Math.abs(value - Number(embeddings.data[i]))).toBeLessThan(1e-4))
    const source = openFile(join(out, 'neighbours.tsv'))
    expect(openTable(source).rowCount).toBe(12 * 36)
    source.close()
    expect(JSON.parse(fs.readFileSync(join(out, 'decoded.json'), 'utf8'))).toEqual(own)

    // The same images in a folder are the same gallery; only their order, and so that of ties, differs.
    const similarities = ({ decoded }: Decoded) =>
      decoded.map(({ found }) => new Map(found.map((f) => [f.stimulus.replace('.png', ''), f.similarity])))
    const [a, b] = [similarities(own), similarities(fromFolder)]
    a.forEach((ofTrial, trial) => {
      expect(ofTrial.size).toBe(36)
      for (const [id, similarity] of ofTrial) expect(b[trial].get(id)).toBeCloseTo(similarity, 5)
    })
  }, 30_000)

  test('says when trials are in other units', async () => {
    const { voxelCount } = subject.manifest
    const file = join(base, 'units.npy')
    const voxels = subject.readVoxels([0, 1]).map((x) => 300 * x)
    voxels[5] = NaN
    fs.writeFileSync(file, encodeNpy({ dtype: 'float32', shape: [2, voxelCount], data: Float32Array.from(voxels) }))
    const { warnings } = await ask<Decoded>(...on('decode', file))
    expect(warnings).toEqual([expect.stringMatching(/^1 values are NaN/), expect.stringMatching(/SD [23]\d\d:/)])
  })
})

describe('what cannot be done is refused in words', () => {
  test('an unknown run, and one that is not finished', async () => {
    const unknown = await refusal('evaluate', '--workspace', workspace, '--run', 'nobody')
    expect(unknown).toMatchObject({ code: 1, kind: 'input', where: 'the run', found: "'nobody'" })
    const opened = Workspace.open(workspace)
    const { id } = opened.runs.create({ subject: SUBJECT, preset: 'demo', config: {} })
    opened.runs.finish(id, 'cancelled')
    opened.close()
    for (const command of ['evaluate', 'retrieve'])
      expect(await refusal(command, '--workspace', workspace, '--run', id)).toMatchObject({
        kind: 'state',
        expected: 'a finished run',
        found: 'that it is cancelled',
        fix: `Finish it with \`mindeye train --workspace '${workspace}' --resume ${id}\`.`,
      })
  })

  test('a split that cannot be, leaving no run behind; an option that contradicts the resumed run', async () => {
    const runs = () => ask<{ runs: unknown[] }>('runs', '--workspace', workspace).then((result) => result.runs.length)
    const before = await runs()
    const train = ['train', '--workspace', workspace, '--subject', SUBJECT]
    expect(await refusal(...train, '--split', 'kfold:1')).toMatchObject({ code: 1, kind: 'input', found: '1' })
    expect(await refusal(...train, '--resume', demo.mindeye.run, '--epochs', '999')).toMatchObject({
      code: 1,
      kind: 'input',
      where: `--resume ${demo.mindeye.run}`,
      found: "'999'",
    })
    expect(await runs()).toBe(before)
  })

  test('trials of another number of voxels, a trial that was not held out, a folder that exists', async () => {
    const file = join(base, 'other.npy')
    fs.writeFileSync(file, encodeNpy({ dtype: 'float32', shape: [3, 7], data: new Float32Array(21) }))
    const [wrong, seen, taken] = await Promise.all([
      refusal(...on('decode', file)),
      refusal(...on('retrieve', '--trial', `${subject.trials.part.indexOf(0)}`)),
      refusal(...on('decode', file, '--out', base)),
    ])
    expect(wrong.expected).toContain(`(trials, ${subject.manifest.voxelCount})`)
    expect(wrong).toMatchObject({ code: 1, found: 'other [3,7]' })
    expect(wrong.fix).toContain('its own subject')
    expect(seen).toMatchObject({ code: 1, where: '--trial', found: `${subject.trials.part.indexOf(0)}` })
    expect(taken).toMatchObject({ code: 1, where: '--out', found: base })
  })
})

test('runs, subjects and presets list what there is', async () => {
  const [runs, subjects, presets, one] = await Promise.all([
    ask<RunsResult & { runs: { id: string; state: string }[] }>('runs', '--workspace', workspace),
    ask<{ subjects: ListedSubject[] }>('subjects', '--workspace', workspace),
    ask<ListedPresets>('presets'),
    mindeye('presets', 'demo'),
  ])
  const states = new Map(runs.runs.map(({ id, state }) => [id, state]))
  expect([demo.mindeye.run, demo.ridge.run].map((run) => states.get(run))).toEqual(['done', 'done'])
  expect(subjects.subjects).toMatchObject([
    {
      id: SUBJECT,
      trials: 108,
      trainTrials: 72,
      testTrials: 36,
      images: 36,
      layout: 'mindeye-webdataset',
      split: 'shipped',
    },
  ])
  expect(presets.presets.map(({ id, needs }) => [id, needs !== undefined])).toEqual([
    ['paper-subj01', true],
    ['paper-1x768', true],
    ['paper-low-level', true],
    ['small-study', false],
    ['demo', true],
    ['demo-low-level', true],
    ['ridge', false],
  ])
  expect(presets.options.every(({ meaning }) => meaning.length > 5)).toBe(true)
  expect(one.out).toMatch(/^items +\* stimulus +trial +what one training example is/m)
})
