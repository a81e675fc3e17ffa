import { shallowReactive } from 'vue'
import { request } from '../shared/api.ts'
import { parseBatch, type Batch } from './batch.ts'
import { RunCurves } from './curves.ts'

/** The numbers of runs, outside reactivity; `version` tells views when those of a run have changed. */
export interface RunNumbers {
  metrics: RunCurves
  speed: RunCurves
}

/** More lines are thinned by the app before they come. */
const MOST_POINTS = 8000
/** A run that is watched for so many lines is read anew, thinned. */
const TOO_MANY = 3 * MOST_POINTS

export function createRunData() {
  const numbers = new Map<string, RunNumbers>()
  const batches = new Map<string, Batch>()
  const version = shallowReactive(new Map<string, number>())
  const batchVersion = shallowReactive(new Map<string, number>())
  const pulling = new Map<string, Promise<void>>()
  const wanted = new Set<string>()

  /** Fetches what a run has written since the last time; calls while it is at work are one more round. */
  function pull(run: string): Promise<void> {
    wanted.add(run)
    let work = pulling.get(run)
    if (!work) {
      work = (async () => {
        while (wanted.delete(run)) await pullOnce(run)
      })().finally(() => pulling.delete(run))
      pulling.set(run, work)
    }
    return work
  }

  async function pullOnce(run: string): Promise<void> {
    let own = numbers.get(run)
    if (!own) numbers.set(run, (own = { metrics: new RunCurves(), speed: new RunCurves() }))
    const changed = await Promise.all([follow(run, 'metrics', own.metrics), follow(run, 'speed', own.speed)])
    if (changed.includes(true)) version.set(run, (version.get(run) ?? 0) + 1)
  }

  async function pullBatch(run: string): Promise<void> {
    const response = await request(`runs/${run}/batch`)
    if (response.status === 204) batches.delete(run)
    else batches.set(run, parseBatch(await response.arrayBuffer()))
    batchVersion.set(run, (batchVersion.get(run) ?? 0) + 1)
  }

  function forget(run: string): void {
    numbers.delete(run)
    batches.delete(run)
    version.delete(run)
    batchVersion.delete(run)
  }

  return {
    version,
    batchVersion,
    pull,
    pullBatch,
    forget,
    numbersOf: (run: string) => numbers.get(run),
    batchOf: (run: string) => batches.get(run),
  }
}

/** Reads a curve from where it was left; whether anything came. */
async function follow(run: string, name: 'metrics' | 'speed', curves: RunCurves): Promise<boolean> {
  if (curves.length > TOO_MANY) curves.clear()
  const points = curves.next === 0 ? `&points=${MOST_POINTS}` : ''
  for (let changed = false; ; changed = true) {
    const response = await request(`runs/${run}/${name}?from=${curves.next}${points}`)
    if (response.headers.has('X-Reset')) curves.clear()
    const text = await response.text()
    curves.append(text)
    curves.next = Number(response.headers.get('X-Next'))
    if (!text) return changed
  }
}
