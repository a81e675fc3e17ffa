/**
 * The scores of a study on every split it offers, over seeds, as Markdown tables on stdout: retrieval beside ridge and chance, and pictures
 * beside those of ridge and the mean one: `npm run results -- FILE… [--seeds 5] [--splits shipped,leave-one-run-out] [--presets small-study,ridge]`.
 * Trains in a workspace of its own, which is kept when `--workspace DIR` names one; runs that are there already are not trained again.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { ActionContext } from '../src-main/actions/action.ts'
import { createContext } from '../src-main/actions/context.ts'
import { evaluateAction } from '../src-main/actions/evaluate.ts'
import { importAction } from '../src-main/actions/import.ts'
import { runPlace } from '../src-main/actions/runPlace.ts'
import { runConfig, trainAction } from '../src-main/actions/train.ts'
import { validateInput } from '../src-main/actions/validate.ts'
import { loadBackend } from '../src-main/engine/backend.ts'
import { mean, standardDeviation } from '../src-main/evaluation/statistics.ts'
import { readManifest } from '../src-main/subjects/subject.ts'
import type { TrainingConfig } from '../src-main/training/fields.ts'
import { decodesPictures } from '../src-main/training/fields.ts'
import { presetConfig } from '../src-main/training/presets.ts'
import { pictureNames, scorePictures } from './studyPictures.ts'

// Several small networks at once, each on one thread: faster than one after the other on all threads.
process.env.TF_NUM_INTRAOP_THREADS ??= '1'

const { values: options, positionals: paths } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '5' },
    splits: { type: 'string' },
    presets: { type: 'string', default: 'small-study,ridge' },
    workspace: { type: 'string' },
  },
})
const quiet = { signal: new AbortController().signal, progress() {} }
const workspace = options.workspace ?? mkdtempSync(join(tmpdir(), 'mindeye-results-'))
const say = (line: string) => process.stderr.write(`${line}\n`)

const first = createContext(() => {})
await loadBackend()
const [known] = existsSync(workspace) ? (await first.workspace(workspace, { create: true })).subjects.list() : []
const subject =
  known?.id ?? (await importAction.run(first, await validateInput(importAction, { paths, workspace }), quiet)).subject
const { splits: offers } = readManifest((await first.workspace(workspace)).subjects.get(subject).folder)
const possible = offers
  .filter(({ possible, split }) => possible && !split.startsWith('kfold'))
  .map(({ split }) => split)
const splits = options.splits?.split(',') ?? possible

interface Cell {
  split: string
  preset: string
  seed: number
  /** image top-1, top-3, brain top-1, top-3 */
  scores?: number[]
  chances?: number[]
  pool?: number
  pictures?: Awaited<ReturnType<typeof scorePictures>>
}
// Seed by seed, so that whoever stops early has all splits.
const cells: Cell[] = Array.from({ length: Number(options.seeds) }, (_, i) => i + 1).flatMap((seed) =>
  splits.flatMap((split) => options.presets.split(',').map((preset) => ({ split, preset, seed }))),
)

/** The finished run of a cell: one that a former call left in the workspace, else a new one or the rest of an interrupted one. */
async function runOf(ctx: ActionContext, { split, preset, seed }: Cell): Promise<string> {
  const own = presetConfig(preset)
  // An option that is younger than a run was as by default in it.
  const isSame = (training: TrainingConfig) => JSON.stringify({ ...own, ...training }) === JSON.stringify(own)
  const known = (await ctx.workspace(workspace)).runs.list().find((run) => {
    const config = runConfig(run)
    return config.split === split && config.seed === seed && isSame(config.training)
  })
  if (known?.state === 'done') return known.id
  const input = known ? { workspace, resume: known.id } : { workspace, subject, preset, split, seed }
  return (await trainAction.run(ctx, await validateInput(trainAction, input), quiet)).run
}

async function work(ctx: ActionContext, queue: Cell[]): Promise<void> {
  for (let cell = queue.shift(); cell; cell = queue.shift()) {
    const started = performance.now()
    const run = await runOf(ctx, cell)
    const { retrieval, pool } = await evaluateAction.run(
      ctx,
      await validateInput(evaluateAction, { workspace, run }),
      quiet,
    )
    const tops = [retrieval.image.top1, retrieval.image.top3, retrieval.brain.top1, retrieval.brain.top3]
    cell.scores = tops.map((score) => score.mean)
    cell.chances = tops.map(({ chance }) => chance)
    cell.pool = pool
    const opened = await ctx.workspace(workspace)
    const place = runPlace(opened, opened.runs.get(run))
    if (decodesPictures(place.config)) cell.pictures = await scorePictures(place)
    const { pixCorr, ssim, twoWay } = cell.pictures?.combined ?? {}
    const shown = [...cell.scores, pixCorr, ssim, twoWay].flatMap((x) => (x === undefined ? [] : [x.toFixed(3)]))
    const seconds = (performance.now() - started) / 1000
    say(`${cell.split} ${cell.preset} seed ${cell.seed}: ${shown.join(' ')} (${seconds.toFixed(0)} s)`)
  }
}

const queue = [...cells]
const contexts = [first, ...Array.from({ length: availableParallelism() - 1 }, () => createContext(() => {}))]
await Promise.all(contexts.map((ctx) => work(ctx, queue)))
await Promise.all(contexts.map((ctx) => ctx.close()))
if (!options.workspace) rmSync(workspace, { recursive: true, force: true })

const three = (x: number) => (Number.isNaN(x) ? '–' : x.toFixed(3).replace(/^0/, ''))
const overSeeds = (xs: number[]) => three(mean(xs)) + (xs.length > 1 ? ` ± ${three(standardDeviation(xs))}` : '')
const row = (texts: readonly string[]) => console.log(`| ${texts.join(' | ')} |`)
const header = (names: readonly string[]) => {
  row(names)
  row(names.map(() => '---'))
}

say('')
header(['split', 'pool', 'preset', 'image top-1', 'image top-3', 'brain top-1', 'brain top-3'])
for (const split of splits) {
  const own = cells.filter((cell) => cell.split === split)
  for (const preset of new Set(own.map((cell) => cell.preset))) {
    const scores = own.filter((cell) => cell.preset === preset).map((cell) => cell.scores!)
    const columns = [0, 1, 2, 3].map((i) => overSeeds(scores.map((values) => values[i])))
    row([split, `${own[0].pool}`, preset, ...columns])
  }
  row([split, `${own[0].pool}`, 'chance', ...own[0].chances!.map(three)])
}

console.log('')
header(['split', 'picture', 'PixCorr', 'SSIM', 'two-way', 'top-1', 'top-3', 'PixCorr at 425 px', 'SSIM at 425 px'])
for (const split of splits) {
  const own = cells.flatMap(({ pictures, ...cell }) => (cell.split === split && pictures ? [pictures] : []))
  if (!own.length) continue
  for (const name of pictureNames) {
    const values = own.map((pictures) => pictures[name])
    const plain = (['pixCorr', 'ssim', 'twoWay', 'top1', 'top3'] as const).map((key) => values.map((v) => v[key]))
    const published = (['pixCorr', 'ssim'] as const).map((key) => values.map((v) => v.published[key]))
    row([split, name, ...[...plain, ...published].map(overSeeds)])
  }
}
const date = new Date().toISOString().slice(0, 10)
console.log(
  `\nMean ± SD over ${options.seeds} seeds; ${cpus()[0].model}, ${availableParallelism()} cores, Node ${process.version}, ${date}.`,
)
