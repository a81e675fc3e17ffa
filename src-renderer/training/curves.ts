/** What a run wrote line by line, as columns: plain arrays that live outside reactivity. */

/** One fold's columns of equal length; a value that a line lacks is NaN. */
export interface FoldCurves {
  step: number[]
  epoch: number[]
  /** Loss, its terms and the schedules, by name. */
  values: Map<string, number[]>
}

interface Line {
  fold: number
  step: number
  epoch?: number
  [value: string]: number | undefined
}

const PLACE = ['fold', 'step', 'epoch']

/** The curves of a run as far as they are known; `next` is the byte of its file from which to go on. */
export class RunCurves {
  next = 0
  readonly folds = new Map<number, FoldCurves>()

  /** Takes complete lines of metrics.jsonl or speed.jsonl. A resumed run begins again at an earlier step: what followed it there is dropped. */
  append(text: string): void {
    for (const row of text.split('\n')) if (row) this.add(JSON.parse(row) as Line)
  }

  clear(): void {
    this.next = 0
    this.folds.clear()
  }

  /** Lines of all folds. */
  get length(): number {
    return [...this.folds.values()].reduce((sum, { step }) => sum + step.length, 0)
  }

  /** Names of the values of all folds, in the order in which they came. */
  names(): string[] {
    return [...new Set([...this.folds.values()].flatMap(({ values }) => [...values.keys()]))]
  }

  /** The newest line of the last fold. */
  last(): { fold: number; step: number; epoch: number } | undefined {
    const fold = Math.max(...this.folds.keys())
    const curves = this.folds.get(fold)
    if (!curves?.step.length) return undefined
    return { fold, step: curves.step.at(-1)!, epoch: curves.epoch.at(-1)! }
  }

  private add(line: Line): void {
    let curves = this.folds.get(line.fold)
    if (!curves) this.folds.set(line.fold, (curves = { step: [], epoch: [], values: new Map() }))
    const { step, epoch, values } = curves
    let length = step.length
    while (length && step[length - 1] >= line.step) length--
    if (length < step.length) for (const column of [step, epoch, ...values.values()]) column.length = length
    step.push(line.step)
    epoch.push(line.epoch ?? NaN)
    for (const name of Object.keys(line))
      if (!PLACE.includes(name) && !values.has(name)) values.set(name, new Array<number>(length).fill(NaN))
    for (const [name, column] of values) column.push(line[name] ?? NaN)
  }
}

/**
 * Exponential moving average that forgets `1 - weight` per step, without a bias to its beginning, so that thinned curves are smoothed as
 * complete ones are. `weight` 0 gives the values themselves.
 */
export function smooth(step: readonly number[], values: readonly number[], weight: number): number[] {
  let [mean, mass] = [0, 0]
  return values.map((value, i) => {
    if (!Number.isFinite(value)) return mass ? mean / mass : NaN
    const keep = i ? weight ** (step[i] - step[i - 1]) : 0
    mean = keep * mean + (1 - weight) * value
    mass = keep * mass + (1 - weight)
    return mean / mass
  })
}

/** Share of a curve's steps over which it is smoothed, for a slider from 0 to 1: fine at its beginning, a tenth at its end. */
export const smoothingShare = (slider: number): number => slider ** 2 / 10

/** The weight for `smooth` that averages over a share of the steps up to `last`. */
export const smoothingWeight = (share: number, last: number): number =>
  share ? Math.exp(-1 / (share * (last + 1))) : 0

const smoothed = new WeakMap<readonly number[], { length: number; weight: number; result: number[] }>()

/** `smooth` of a column that only grows, worked out once per length. */
export function smoothOnce(step: readonly number[], values: readonly number[], weight: number): number[] {
  const known = smoothed.get(values)
  if (known?.length === values.length && known.weight === weight) return known.result
  const result = smooth(step, values, weight)
  smoothed.set(values, { length: values.length, weight, result })
  return result
}

/** The first step of the first epoch that is `epoch` or later. */
export function stepOfEpoch({ step, epoch }: FoldCurves, wanted: number): number | undefined {
  const at = epoch.findIndex((value) => value >= wanted)
  return at < 0 ? undefined : step[at]
}
