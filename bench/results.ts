/**
 * The scores of a study on every split it offers, over seeds, beside ridge and chance, as a Markdown table on stdout:
 * `npm run results -- FILE… [--seeds 5] [--splits shipped,leave-one-run-out] [--presets small-study,ridge]`.
 * Trains in a workspace of its own, which is kept when `--workspace DIR` names one.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { ActionContext } from '../src-main/actions/action.ts'
import { createContext } from '../src-main/actions/context.ts'
import { evaluateAction } from '../src-main/actions/evaluate.ts'
import { importAction } from '../src-main/actions/import.ts'
import { trainAction } from '../src-main/actions/train.ts'
import { validateInput } from '../src-main/actions/validate.ts'
import { mean, standardDeviation } from '../src-main/evaluation/statistics.ts'
import { readManifest } from '../src-main/subjects/subject.ts'

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
const { subject } = await importAction.run(first, await validateInput(importAction, { paths, workspace }), quiet)
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
}
const cells: Cell[] = splits.flatMap((split) =>
  options.presets
    .split(',')
    .flatMap((preset) => Array.from({ length: Number(options.seeds) }, (_, i) => ({ split, preset, seed: i + 1 }))),
)

async function work(ctx: ActionContext, queue: Cell[]): Promise<void> {
  for (let cell = queue.shift(); cell; cell = queue.shift()) {
    const { split, preset, seed } = cell
    const train = await validateInput(trainAction, { workspace, subject, preset, split, seed })
    const { run, seconds } = await trainAction.run(ctx, train, quiet)
    const { retrieval, pool } = await evaluateAction.run(
      ctx,
      await validateInput(evaluateAction, { workspace, run }),
      quiet,
    )
    const tops = [retrieval.image.top1, retrieval.image.top3, retrieval.brain.top1, retrieval.brain.top3]
    cell.scores = tops.map((score) => score.mean)
    cell.chances = tops.map(({ chance }) => chance)
    cell.pool = pool
    say(`${split} ${preset} seed ${seed}: ${cell.scores.map((x) => x.toFixed(3)).join(' ')} (${seconds.toFixed(0)} s)`)
  }
}

const queue = [...cells]
const contexts = [first, ...Array.from({ length: availableParallelism() - 1 }, () => createContext(() => {}))]
await Promise.all(contexts.map((ctx) => work(ctx, queue)))
await Promise.all(contexts.map((ctx) => ctx.close()))
if (!options.workspace) rmSync(workspace, { recursive: true, force: true })

const three = (x: number) => x.toFixed(3).replace(/^0/, '')
say('')
console.log(`| split | pool | preset | image top-1 | image top-3 | brain top-1 | brain top-3 |`)
console.log(`|---|---|---|---|---|---|---|`)
for (const split of splits) {
  const own = cells.filter((cell) => cell.split === split)
  for (const preset of new Set(own.map((cell) => cell.preset))) {
    const scores = own.filter((cell) => cell.preset === preset).map((cell) => cell.scores!)
    const columns = [0, 1, 2, 3].map((i) => scores.map((row) => row[i]))
    const texts = columns.map((xs) => three(mean(xs)) + (xs.length > 1 ? ` ± ${three(standardDeviation(xs))}` : ''))
    console.log(`| ${split} | ${own[0].pool} | ${preset} | ${texts.join(' | ')} |`)
  }
  console.log(`| ${split} | ${own[0].pool} | chance | ${own[0].chances!.map(three).join(' | ')} |`)
}
const date = new Date().toISOString().slice(0, 10)
console.log(
  `\nMean ± SD over ${options.seeds} seeds; ${cpus()[0].model}, ${availableParallelism()} cores, Node ${process.version}, ${date}.`,
)
