import { join } from 'node:path'
import { formatDuration } from '../base/eta.ts'
import { metrics } from '../evaluation/metrics.ts'
import { directions } from '../retrieval/pools.ts'
import type { Demo } from './demo.ts'
import type { Evaluation } from './evaluate.ts'
import { interval, namedScores, percent, questions } from './evaluate.ts'
import { quote } from './finishedRun.ts'
import { formatTable } from './table.ts'

/** What the demo came to, for people. */
export const describeDemo = (demo: Demo): string =>
  [
    ...describeStages(demo),
    '',
    ...describeRetrieval(demo),
    '',
    ...describePictures(demo),
    '',
    `Contact sheet (seen, retrieved, and reconstructed: low, high, combined): ${demo.sheet}`,
    `The run on one page: ${demo.figure}`,
    `Runs, with weights and learning curves: ${join(demo.workspace, 'runs')}`,
    '',
    ...describeNext(demo),
  ].join('\n')

function describeStages({ stages, made }: Demo): string[] {
  const work = stages.filter(({ seconds }) => seconds !== undefined)
  const total = work.reduce((sum, { seconds }) => sum + seconds!, 0)
  const rows = stages.map(({ stage, seconds }) => [
    stage,
    seconds === undefined ? 'was done before' : formatDuration(seconds),
  ])
  const isRepeat = made === 0 && work.length === 3 // pictures and scores are looked up again
  return [
    formatTable(['STAGE', 'TIME'], [...rows, ['all', formatDuration(total)]]),
    ...(isRepeat ? ['', 'The demo was finished before and is only shown again; delete its folder to repeat it.'] : []),
  ]
}

function describeRetrieval({ mindeye, ridge }: Demo): string[] {
  const rows = directions.flatMap((direction) =>
    Object.entries(mindeye.retrieval[direction]).map(([top, score]) => {
      const other = ridge.retrieval[direction][top as keyof Evaluation['retrieval']['image']]
      return [
        questions[direction],
        top.replace('top', 'top-'),
        percent(score.mean),
        interval(score.ci95),
        percent(other.mean),
        interval(other.ci95),
        percent(score.chance),
      ]
    }),
  )
  return [
    `Retrieval among ${mindeye.pool} images that training never saw (${mindeye.trials} averaged brain patterns of a simulated subject):`,
    '',
    formatTable(['QUESTION', 'WITHIN', 'MINDEYE', '95 % INTERVAL', 'RIDGE', '95 % INTERVAL', 'CHANCE'], rows),
  ]
}

function describePictures({ low, high, mindeye: combined, ridge }: Demo): string[] {
  const columns = [low, high, combined, ridge].map((evaluation) => new Map(namedScores(evaluation)))
  const three = (value: number) => value.toFixed(3)
  const rows = [...columns[2]].map(([id, { chance }]) => [
    metrics[id].title,
    ...columns.flatMap((scores) => {
      const { mean, ci95 } = scores.get(id)!
      return [three(mean), `[${ci95.map(three).join(', ')}]`]
    }),
    three(chance),
  ])
  return [
    `Reconstructions of the same ${combined.reconstructions} images, and ridge regression to pixels:`,
    '',
    formatTable(
      ['METRIC', ...['LOW', 'HIGH', 'COMBINED', 'RIDGE'].flatMap((kind) => [kind, '95 % INTERVAL']), 'OTHER IMAGES'],
      rows,
    ),
    '',
    'Other images: what combined scores when it is compared with images that were not seen.',
  ]
}

function describeNext({ workspace, subject, mindeye }: Demo): string[] {
  const where = `--workspace ${quote(workspace)}`
  const commands = [
    [`retrieve ${where} --run ${mindeye.run}`, 'every held-out trial with what it found'],
    [`evaluate ${where} --run ${mindeye.run} --pool ${Math.ceil(mindeye.pool / 2)}`, 'scores in smaller pools'],
    [`train ${where} --subject ${subject} --preset small-study`, 'another decoder for the same subject'],
    ['inspect PATH', 'what your own files are, and which checks hold'],
    ['import PATH --workspace MY-WORKSPACE', 'your own data, then train as above'],
    ['decode NEW-TRIALS.npy --workspace MY-WORKSPACE --run RUN', 'trials whose images nobody knows'],
  ]
  return [
    'Look at it in the workstation:',
    `  npm start -- ${where}`,
    '',
    'Next (each with --help):',
    ...commands.flatMap(([line, what]) => [`  # ${what}`, `  npm run -s mindeye -- ${line}`]),
  ]
}
