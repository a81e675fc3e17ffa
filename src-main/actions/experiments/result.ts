import type { Contrast, ExperimentName } from '../../evaluation/experiments.ts'
import type { Interval } from '../../evaluation/statistics.ts'
import { mean } from '../../evaluation/statistics.ts'
import { studentInterval } from '../../evaluation/student.ts'

/** What is measured at every place; higher is better. */
export interface Measure {
  id: string
  title: string
  /** What guessing would score. */
  chance: number
}

/** Values by seed, and their mean with a 95 % interval over seeds (none for a single seed). */
export interface SeedScore {
  values: number[]
  mean: number
  ci95?: Interval
}

/** One place of an experiment's curve. */
export interface Point {
  series: string
  x: number
  /** The trainings behind it, by seed; none where nothing is trained. */
  runs: string[]
  /** By measure. */
  scores: Record<string, SeedScore>
}

/** Whether a difference shows: over the seeds, each with its own pair. */
export interface ContrastResult {
  title: string
  measure: string
  difference: number
  ci95?: Interval
  /** Whether the interval leaves out zero; undefined with a single seed. */
  shows?: 'better' | 'worse' | 'no difference'
}

export interface ExperimentResult {
  experiment: ExperimentName
  claim: string
  axis: { title: string; unit: string; labels?: readonly string[] }
  /** On what it was done, in words: subject, preset, split, n; scenes and pack. */
  conditions: string[]
  seeds: number[]
  measures: Measure[]
  points: Point[]
  contrasts: ContrastResult[]
  /** What shows, a sentence per comparison. */
  summary: string[]
}

export const seedScore = (values: number[]): SeedScore => ({
  values,
  mean: mean(values),
  ci95: studentInterval(values),
})

/** Every contrast in every measure. */
export function contrastResults(
  contrasts: readonly Contrast[],
  points: readonly Point[],
  measures: readonly Measure[],
): ContrastResult[] {
  return contrasts.flatMap(({ title, of, against }) =>
    measures.map(({ id }) => {
      const valuesAt = (place: Contrast['of']) =>
        points.find(({ series, x }) => series === place.series && x === place.x)!.scores[id].values
      const others = valuesAt(against)
      const differences = valuesAt(of).map((value, i) => value - others[i])
      const ci95 = studentInterval(differences)
      const shows = ci95 && (ci95[0] > 0 ? 'better' : ci95[1] < 0 ? 'worse' : 'no difference')
      return { title, measure: id, difference: mean(differences), ci95, shows }
    }),
  )
}

const listed = new Intl.ListFormat('en-GB')
const words = { better: 'better in', worse: 'worse in', 'no difference': 'no difference shows in' } as const

/** What the contrasts show, a sentence for each comparison: `A against B: better in x; no difference shows in y.` */
export function inWords(contrasts: readonly ContrastResult[], measures: readonly Measure[]): string[] {
  const titles = [...new Set(contrasts.map(({ title }) => title))]
  return titles.map((title) => {
    const own = contrasts.filter((contrast) => contrast.title === title)
    if (own.some(({ shows }) => shows === undefined)) return `${title}: one seed says nothing.`
    const parts = (Object.keys(words) as (keyof typeof words)[]).flatMap((shown) => {
      const such = measures.filter(({ id }) => own.some(({ measure, shows }) => measure === id && shows === shown))
      return such.length ? [`${words[shown]} ${listed.format(such.map((measure) => measure.title))}`] : []
    })
    return `${title}: ${parts.join('; ')}.`
  })
}
