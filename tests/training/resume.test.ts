import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EngineMethods } from '../../src-main/actions/methods.ts'
import { isTemporary } from '../../src-main/base/files.ts'
import type { Channel } from '../../src-main/engine/channel.ts'
import { openChannel } from '../../src-main/engine/channel.ts'
import { Random } from '../../src-main/nn/random.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { saveTinyAutoencoder, saveTinyTeacher } from '../support/tinyNetworks.ts'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { foldFiles } from '../../src-main/training/foldFiles.ts'
import { presetConfig } from '../../src-main/training/presets.ts'
import type { TrainingJob } from '../../src-main/training/run.ts'
import { figures, quietly, writeSmallStudy } from '../subjects/support.ts'

const KILLS_DURING_WRITE = 5

const home = mkdtempSync(join(tmpdir(), 'mindeye-resume-'))
const subjectFolder = join(home, 'subject')
// Dropout and MixCo are on; a checkpoint now and then, at no special step.
const common = { hidden: '192', checkpointSeconds: '0.1', batchSize: '8' }
const clip = resolve('tests/fixtures/hf_models/clip_vision_p14/model') // 5 tokens of 16
const prior = { prior: 'true', priorDepth: '2', priorHeads: '2', priorHeadDim: '16' }

/** What is trained, and how often it is killed at a random moment. */
const kinds = {
  // The preset decodes pictures: an inner training per part of the blend follows the fold's own.
  'study with pictures': {
    config: presetConfig('small-study', { ...common, epochs: '12', encoderSteps: '10' }),
    networks: {},
    randomKills: 8,
  },
  'CLIP targets, augmented images, prior': {
    config: presetConfig('small-study', {
      ...{ ...common, ...prior, epochs: '6', targets: 'clip', tokens: '5', width: '16', augment: 'true' },
    }),
    networks: { clip },
    randomKills: 4,
  },
  'low level with contrast': {
    config: presetConfig('paper-low-level', {
      ...{ hidden: '24', blocks: '1', mapSide: '2', upsamplerWidth: '32', features: '12' },
      ...{ items: 'trial', epochs: '2', batchSize: '8', checkpointSeconds: '0.1' },
    }),
    networks: { lowLevelVae: join(home, 'vae'), teacher: join(home, 'teacher.safetensors') },
    randomKills: 4,
  },
} satisfies Record<string, Pick<TrainingJob, 'config' | 'networks'> & { randomKills: number }>
type Kind = keyof typeof kinds
const kindNames = Object.keys(kinds) as Kind[]

const engines: Channel<EngineMethods>[] = []
const startEngine = (): Channel<EngineMethods> => {
  const engine = openChannel<EngineMethods>({ name: 'engine', entry: resolve('src-main/hosts/engine.ts') })
  engines.push(engine)
  return engine
}

function newRun(kind: Kind, name: string): TrainingJob {
  const runFolder = join(home, `${kindNames.indexOf(kind)}-${name}`)
  mkdirSync(runFolder)
  const { config, networks } = kinds[kind]
  return { runFolder, subjectFolder, config, split: 'shipped', seed: 3, networks }
}

const fold = ({ runFolder }: TrainingJob) => join(runFolder, 'folds', '0')
const names = (folder: string): string[] => {
  try {
    return readdirSync(folder)
  } catch {
    return [] // not made yet
  }
}
const pictureFiles = (folder: string) => {
  const { low, ridge, blend } = foldFiles(folder)
  return { low, ridge, blend }
}
const result = (job: TrainingJob) => ({
  weights: readFileSync(join(fold(job), 'model.safetensors')),
  embeddings: readFileSync(join(fold(job), 'test.safetensors')),
  pictures: Object.values(pictureFiles(fold(job))).map((path) =>
    existsSync(path) ? readFileSync(path, 'base64') : '',
  ),
  losses: readFileSync(join(job.runFolder, 'metrics.jsonl'), 'utf8'),
})
const isWritingCheckpoint = (job: TrainingJob) =>
  names(fold(job)).some((name) => isTemporary(name) && name.includes('checkpoint'))

/** Runs that nobody killed. */
const references = new Map<Kind, ReturnType<typeof result> & { ms: number }>()

beforeAll(async () => {
  await loadBackend()
  saveTinyAutoencoder(join(home, 'vae'))
  saveTinyTeacher(join(home, 'teacher.safetensors'))
  const shown = (count: number) => Array.from({ length: count }, (_, i) => i % 12)
  const { path } = writeSmallStudy(home, {
    train: shown(40),
    test: shown(6),
    V: 300,
    side: 12,
    figures: figures(12, 12),
  })
  await importPaths([path], { id: 's', map: {} }, subjectFolder, quietly())
  for (const kind of kindNames) {
    const engine = startEngine()
    const job = newRun(kind, 'reference')
    await engine.call('backend', {})
    const started = performance.now()
    await engine.call('train', job)
    references.set(kind, { ...result(job), ms: performance.now() - started })
    const isPictured = kind === 'study with pictures'
    expect(Object.values(pictureFiles(fold(job))).map(existsSync)).toEqual(Array(3).fill(isPictured))
    await engine.close()
  }
}, 240_000)

afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.close()))
  rmSync(home, { recursive: true, force: true })
})

/** Trains until `when` resolves, kills the engine with SIGKILL, and returns what it left in the fold's folder. */
async function trainAndKill(job: TrainingJob, when: () => Promise<void>): Promise<string[]> {
  const engine = startEngine()
  await engine.call('backend', {})
  const training = engine.call('train', job).then(
    () => 'finished',
    () => 'killed',
  )
  await Promise.race([when(), training])
  process.kill(engine.pid!, 'SIGKILL')
  await engine.exited
  await training
  return names(fold(job))
}

async function expectSameAfterResume(kind: Kind, job: TrainingJob): Promise<void> {
  const reference = references.get(kind)!
  const engine = startEngine()
  await engine.call('train', job)
  await engine.close()
  const resumed = result(job)
  expect(resumed.weights.equals(reference.weights), 'final weights').toBe(true)
  expect(resumed.embeddings.equals(reference.embeddings), 'embeddings of the held-out trials').toBe(true)
  expect(resumed.pictures, 'what decodes pictures, and their blend').toEqual(reference.pictures)
  expect(resumed.losses, 'loss curve').toBe(reference.losses)
}

describe('kill -9 and resume', () => {
  const random = new Random(20261123)
  const randomKills = kindNames.flatMap((kind) =>
    Array.from({ length: kinds[kind].randomKills }, (_, i) => ({ kind, i })),
  )
  it.each(randomKills)(
    '$kind: at a random moment ($i)',
    async ({ kind, i }) => {
      const job = newRun(kind, `random-${i}`)
      await trainAndKill(job, () => setTimeout(random.uniform() * references.get(kind)!.ms))
      await expectSameAfterResume(kind, job)
    },
    120_000,
  )

  it('while the blend is chosen, between its parts and within one', async () => {
    const hasPart = (job: TrainingJob, part: number) => names(fold(job)).includes(`held-out-${part}.safetensors`)
    for (const [i, wait] of [0, 40].entries()) {
      const job = newRun('study with pictures', `blend-${i}`)
      const left = await trainAndKill(job, async () => {
        while (!hasPart(job, 0)) await setTimeout(1)
        await setTimeout(wait)
      })
      expect(left).toContain('held-out-0.safetensors')
      expect(left).not.toContain('blend.json')
      await expectSameAfterResume('study with pictures', job)
      expect(names(fold(job)).filter((name) => name.startsWith('held-out'))).toEqual([])
    }
  }, 120_000)

  it.each(Array.from({ length: KILLS_DURING_WRITE }, (_, i) => i))(
    'while a checkpoint is written (%d)',
    async (i) => {
      // A kill can come just after the rename; such an attempt proves nothing and is made again.
      for (let attempt = 0; attempt < 10; attempt++) {
        const job = newRun('study with pictures', `write-${i}-${attempt}`)
        const first = random.uniform() * references.get('study with pictures')!.ms
        const left = await trainAndKill(job, async () => {
          await setTimeout(first)
          while (!isWritingCheckpoint(job)) await setImmediate()
        })
        if (!left.some((name) => isTemporary(name) && name.includes('checkpoint'))) continue
        await expectSameAfterResume('study with pictures', job)
        expect(names(fold(job)).filter(isTemporary), 'what the killed process left').toEqual([])
        return
      }
      expect.fail('no kill hit a write in 10 attempts')
    },
    300_000,
  )

  it('goes on from the older checkpoint when the newest is damaged, and says so', async () => {
    const job = newRun('study with pictures', 'damaged')
    const isSaved = () => names(fold(job)).filter((name) => /^checkpoint-\d+/.test(name)).length === 2
    await trainAndKill(job, async () => {
      while (!isSaved()) await setTimeout(1)
    })
    const newest = names(fold(job))
      .filter((name) => /^checkpoint-\d+/.test(name))
      .sort()
      .at(-1)!
    truncateSync(join(fold(job), newest), 1000)
    const engine = startEngine()
    const { warnings } = await engine.call('train', job)
    await engine.close()
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain(newest)
    expect(result(job).weights.equals(references.get('study with pictures')!.weights)).toBe(true)
  }, 120_000)
})
