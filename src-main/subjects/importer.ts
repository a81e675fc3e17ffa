import { join } from 'node:path'
import { encodeNpy } from '../formats/npy.ts'
import { writeFileAtomic } from '../base/files.ts'
import type { RunOptions } from '../base/progress.ts'
import { writeCache } from './cache.ts'
import { type Check, chooseSplit, runChecks } from './checks.ts'
import { type Facts, gatherFacts } from './facts.ts'
import { recordSource } from './fingerprint.ts'
import { type OpenedStudy, openStudy } from './layouts/index.ts'
import { noiseCeiling } from './noiseCeiling.ts'
import { offerSplits } from './splits.ts'
import type { Mapping, Recognition } from './study.ts'
import { openRows } from './rows.ts'
import type { NoiseCeilingSummary, SubjectManifest, TrialTable } from './subject.ts'
import { formatStimulusTable, formatTrialTable } from './tables.ts'
import { importSurfaces, surfacesBeside } from './surfaces/attach.ts'
import { unusedCheck } from './unused.ts'

/** What a set of files is. */
export interface Recognised {
  layout: string
  layoutTitle: string
  recognition: Recognition
  /** The id it would be imported as. */
  name: string
}

/** What is in a set of files, without importing it. */
export interface Inspection extends Recognised {
  trialCount: number
  voxelCount: number
  stimulusCount: number
  image: { height: number; width: number; channels: number }
  rois: string[]
  files: number
  checks: Check[]
}

export interface ImportRequest {
  /** The subject's id in the workspace; without it the name that the files suggest. */
  id?: string
  map: Mapping
}

export interface ImportResult {
  /** Proposed or asked-for id. */
  id: string
  checks: Check[]
  /** Absent when a check of level `error` failed: nothing complete was staged. */
  manifest?: SubjectManifest
}

/** A name that can be a folder on every system. */
export function safeId(name: string): string {
  return (
    name
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[-.]+|[-.]+$/g, '')
      .slice(0, 64) || 'subject'
  )
}

/** What the layout checks, and whether it used every file. */
const ownChecks = ({ inventory, study }: OpenedStudy, map: Mapping): Check[] => [
  ...study.checks(),
  unusedCheck(inventory, study, map, surfacesBeside(inventory, study)?.files),
]

/** Layout and proposed id, from names and shapes alone: quick. Throws when nothing is recognised. */
export async function recognisePaths(paths: readonly string[], request: { map: Mapping }): Promise<Recognised> {
  const opened = await openStudy(paths, request.map)
  try {
    const { layout, recognition, study } = opened
    return { layout: layout.id, layoutTitle: layout.title, recognition, name: safeId(study.name) }
  } finally {
    opened.close()
  }
}

/** Recognises the files, reads them once and reports every check; writes nothing. Throws when nothing is recognised or a file is damaged. */
export async function inspectPaths(
  paths: readonly string[],
  request: { map: Mapping },
  options: RunOptions,
): Promise<Inspection> {
  const opened = await openStudy(paths, request.map)
  try {
    const { layout, recognition, study } = opened
    const facts = await gatherFacts(study, options)
    return {
      layout: layout.id,
      layoutTitle: layout.title,
      recognition,
      name: safeId(study.name),
      trialCount: study.trials.count,
      voxelCount: study.voxelCount,
      stimulusCount: study.stimuli.ids.length,
      image: study.image,
      rois: study.rois.map((roi) => roi.name),
      files: study.sources.length,
      checks: runChecks(facts, ownChecks(opened, request.map)),
    }
  } finally {
    opened.close()
  }
}

function makeManifest(id: string, opened: OpenedStudy, map: Mapping, facts: Facts, checks: Check[]): SubjectManifest {
  const { layout, study } = opened
  const { trials } = study
  const splits = offerSplits(trials)
  const distinct = (values: Int32Array) => new Set(values.filter((x) => x >= 0)).size
  const partCount = (part: number) => trials.part.reduce((n, p) => n + (p === part ? 1 : 0), 0)
  return {
    version: 1,
    id,
    layout: layout.id,
    layoutTitle: layout.title,
    map,
    sources: study.sources.map(recordSource),
    trialCount: trials.count,
    trainTrials: partCount(0),
    testTrials: partCount(1),
    stimulusCount: study.stimuli.ids.length,
    sessionCount: distinct(trials.session),
    runCount: distinct(trials.run),
    voxelCount: study.voxelCount,
    image: facts.image,
    rois: study.rois.map(({ name, mask }) => ({ name, voxels: mask.reduce((a, b) => a + b, 0) })),
    volume: study.volume,
    checks,
    splits,
    defaultSplit: chooseSplit(splits),
  }
}

/** `noiseCeiling.npy` (V) from the cache just written; nothing without repeats. */
function writeNoiseCeiling(dir: string, trials: TrialTable, V: number): NoiseCeilingSummary | undefined {
  const rows = openRows(join(dir, 'cache', 'voxels.npy'), 'float32', [trials.count, V])
  try {
    const found = noiseCeiling(trials, V, (wanted) => {
      const out = new Float32Array(wanted.length * V)
      rows.gather(wanted, out)
      return out
    })
    if (!found) return undefined
    writeFileAtomic(join(dir, 'noiseCeiling.npy'), encodeNpy({ dtype: 'float32', shape: [V], data: found.perVoxel }))
    return found.summary
  } finally {
    rows.close()
  }
}

/**
 * Writes a complete subject folder into `stagingDir` (new or empty), for the workspace to rename into place. Sources are
 * recorded by path and fingerprint; voxels and pictures are copied in blocks into the deletable cache. `subject.json` is
 * written last, so that a folder without it is known to be incomplete.
 */
export async function importPaths(
  paths: readonly string[],
  request: ImportRequest,
  stagingDir: string,
  options: RunOptions,
): Promise<ImportResult> {
  const opened = await openStudy(paths, request.map)
  try {
    const { study } = opened
    const id = request.id ?? safeId(study.name)
    const facts = await writeCache(study, join(stagingDir, 'cache'), options)
    const checks = runChecks(facts, ownChecks(opened, request.map))
    if (checks.some((check) => check.level === 'error' && !check.ok)) return { id, checks }

    const V = study.voxelCount
    writeFileAtomic(join(stagingDir, 'trials.tsv'), formatTrialTable(study.trials))
    writeFileAtomic(join(stagingDir, 'stimuli.tsv'), formatStimulusTable(study.stimuli))
    if (study.rois.length) {
      const data = new Uint8Array(study.rois.length * V)
      study.rois.forEach(({ mask }, i) => data.set(mask, i * V))
      writeFileAtomic(join(stagingDir, 'rois.npy'), encodeNpy({ dtype: 'uint8', shape: [study.rois.length, V], data }))
    }
    if (study.positions)
      writeFileAtomic(
        join(stagingDir, 'positions.npy'),
        encodeNpy({ dtype: 'float32', shape: [V, 3], data: study.positions }),
      )
    const found = surfacesBeside(opened.inventory, study)
    const attached = found && importSurfaces(found, study, stagingDir)
    if (attached) checks.push(attached.check)
    const manifest = makeManifest(id, opened, request.map, facts, checks)
    manifest.surfaces = attached?.surfaces
    options.progress({ phase: 'noise ceiling', done: 0, total: 1 })
    manifest.noiseCeiling = writeNoiseCeiling(stagingDir, study.trials, V)
    writeFileAtomic(join(stagingDir, 'subject.json'), JSON.stringify(manifest, null, 2) + '\n')
    return { id, checks, manifest }
  } finally {
    opened.close()
  }
}
