import type { ArrayEntry, DType } from '../../formats/array.ts'
import { distinct } from '../../base/distinct.ts'
import { formatError } from '../../base/errors.ts'
import type { Inventory, SourceFile } from '../inventory.ts'
import { stackIntegers } from '../matrices.ts'
import { arrayPictures, type Pictures } from '../pictures.ts'
import type { Layout, Mapping, Study } from '../study.ts'
import { emptyTrials } from '../tables.ts'
import { nsdCountChecks, ofSubject, subjectNumber, subjectOfGrid, subjectsOf } from './nsdFacts.ts'
import { findMasks, maskedPositions, type Masks } from './volumeMasks.ts'

/** NSD stores betas as int16 of this many times the percent signal change. */
const STORED_PER_PERCENT = 300
/** Of a beta volume file at once; the limit for anything held in memory is 256 MB. */
const SLAB_BYTES = 192 * 2 ** 20

/** Whole numbers are NSD's int16 storage; floats are taken as percent signal change. */
const percentPerUnit = (dtype: DType): number => (dtype.startsWith('float') ? 1 : 1 / STORED_PER_PERCENT)

/** The betas of one session. */
interface Session {
  number: number
  file: SourceFile
  trials: number
  grid: [number, number, number]
  /** Percent signal change of `voxels` (C-order indices into the grid) in trials `[start, stop)`. */
  read(start: number, stop: number, voxels: Int32Array): Float32Array
}

interface Design {
  file: SourceFile
  /** (trials) 0-based index into the subject's images. */
  order: Int32Array
  /** (subjects, images) 0-based 73k ids. */
  images: { ids: Int32Array; perSubject: number; subjects: number }
  /** 0-based 73k ids that every subject saw: the test set. */
  shared: Set<number>
  /** Trials in each run, by session; undefined when the file does not tell. */
  runs?: number[][]
}

const sessionNumber = (name: string): number | undefined => {
  const found = /session(\d+)/i.exec(name)
  return found ? Number(found[1]) : undefined
}

async function findSessions(inventory: Inventory, map: Mapping): Promise<Session[]> {
  const sessions = new Map<number, Session>()
  const asked = map.subject === undefined ? undefined : Number(map.subject)
  for (const file of ofSubject(inventory, inventory.ofFormat('hdf5', 'nifti'), asked)) {
    const number = sessionNumber(file.name)
    if (number === undefined || !/betas/i.test(file.name) || sessions.has(number)) continue
    const session =
      file.format === 'hdf5' ? await hdf5Session(inventory, file, number) : niftiSession(inventory, file, number)
    if (session) sessions.set(number, session)
  }
  return [...sessions.values()].sort((a, b) => a.number - b.number)
}

/** MATLAB's (x, y, z, trials) appears in HDF5 as (trials, z, y, x). */
async function hdf5Session(inventory: Inventory, file: SourceFile, number: number): Promise<Session | undefined> {
  const entry = (await inventory.arrays(file)).find((e: ArrayEntry) => e.name === 'betas' && e.shape.length === 4)
  if (!entry) return undefined
  const [trials, nz, ny, nx] = entry.shape
  const volume = nx * ny * nz
  const percent = percentPerUnit(entry.dtype)
  const rows = Math.max(1, Math.floor(SLAB_BYTES / (volume * 4)))
  return {
    number,
    file,
    trials,
    grid: [nx, ny, nz],
    read(start, stop, voxels) {
      const out = new Float32Array((stop - start) * voxels.length)
      // The voxels count in C order of (x, y, z), the file in that of (z, y, x).
      const at = voxels.map((i) => {
        const [x, y, z] = [Math.floor(i / (ny * nz)), Math.floor(i / nz) % ny, i % nz]
        return (z * ny + y) * nx + x
      })
      for (let from = start; from < stop; from += rows) {
        const to = Math.min(stop, from + rows)
        const { data } = entry.readRows(from, to)
        for (let t = from; t < to; t++)
          for (let v = 0; v < at.length; v++)
            out[(t - start) * at.length + v] = Number(data[(t - from) * volume + at[v]]) * percent
      }
      return out
    },
  }
}

function niftiSession(inventory: Inventory, file: SourceFile, number: number): Session | undefined {
  const nifti = inventory.nifti(file)
  if (nifti.shape.length !== 4) return undefined
  // A declared scale has been applied by the reader.
  const percent = nifti.slope === 1 && nifti.intercept === 0 ? percentPerUnit(nifti.dtype) : 1
  return {
    number,
    file,
    trials: nifti.volumeCount,
    grid: nifti.volumeShape,
    read(start, stop, voxels) {
      const out = new Float32Array((stop - start) * voxels.length)
      for (let t = start; t < stop; t++) {
        const { data } = nifti.readVolume(t)
        for (let v = 0; v < voxels.length; v++) out[(t - start) * voxels.length + v] = Number(data[voxels[v]]) * percent
      }
      return out
    },
  }
}

async function findDesign(inventory: Inventory): Promise<Design | null> {
  for (const file of inventory.ofFormat('matlab5', 'matlab73')) {
    const arrays = await inventory.arrays(file)
    const named = (name: string) => arrays.find((entry) => entry.name === name)
    const [order, images, shared, pattern] = ['masterordering', 'subjectim', 'sharedix', 'stimpattern'].map(named)
    if (!order || !images || !shared || images.shape.length !== 2) continue
    const count = (entry: ArrayEntry): number => entry.shape.reduce((a, b) => a * b, 1)
    // MATLAB counts from 1.
    const fromZero = (entry: ArrayEntry) => stackIntegers([entry], count(entry), file.name).map((x) => x - 1)
    return {
      file,
      order: fromZero(order),
      images: { ids: fromZero(images), subjects: images.shape[0], perSubject: images.shape[1] },
      shared: new Set(fromZero(shared)),
      runs: pattern?.shape.length === 3 ? trialsPerRun(pattern) : undefined,
    }
  }
  return null
}

/** `stimpattern` (sessions, runs, slots): 1 where a slot of the run shows a picture. */
function trialsPerRun(pattern: ArrayEntry): number[][] {
  const [sessions, runs, slots] = pattern.shape
  const { data } = pattern.read()
  return Array.from({ length: sessions }, (_, s) =>
    Array.from({ length: runs }, (_, r) => {
      let shown = 0
      for (let i = 0; i < slots; i++) shown += Number(data[(s * runs + r) * slots + i]) ? 1 : 0
      return shown
    }),
  )
}

async function findPictures(inventory: Inventory): Promise<{ file: SourceFile; pictures: Pictures } | null> {
  for (const file of inventory.ofFormat('hdf5')) {
    const entry = (await inventory.arrays(file)).find((e) => e.name === 'imgBrick' && e.shape.length === 4)
    if (entry) return { file, pictures: arrayPictures([entry], 'rows', file.name) }
  }
  return null
}

function whichSubject(inventory: Inventory, map: Mapping, sessions: Session[], design: Design): number {
  const asked = map.subject === undefined ? undefined : Number(map.subject)
  const paths = [...inventory.paths, sessions[0].file.path].map(subjectNumber)
  const subject =
    asked ??
    paths.find((n) => n !== undefined) ??
    subjectOfGrid(sessions[0].grid) ??
    (design.images.subjects === 1 ? 1 : undefined)
  if (subject === undefined || !(subject >= 1 && subject <= design.images.subjects))
    throw formatError(
      design.file.name,
      'subjectim',
      `a subject from 1 to ${design.images.subjects}`,
      subject === undefined ? 'no subject number in the paths' : String(subject),
      'Say which subject these betas are of: --map subject=1.',
    )
  return subject
}

/** Global trial numbers of the sessions present, from the trials per session: a missing middle session leaves its gap. */
function firstTrials(sessions: Session[], design: Design): Int32Array {
  const usual = Math.max(...sessions.map((session) => session.trials))
  let next = 0
  const first = new Int32Array(sessions.length)
  sessions.forEach((session, i) => {
    const missing = session.number - (i ? sessions[i - 1].number : 0) - 1
    const told = (s: number) => design.runs?.[s - 1]?.reduce((a, b) => a + b, 0) ?? usual
    for (let m = missing; m > 0; m--) next += told(session.number - m)
    first[i] = next
    next += session.trials
  })
  return first
}

/** NSD's own folders: single-trial betas per session, the experiment design, ROI masks and the pictures. */
export const nsd: Layout = {
  id: 'nsd',
  title: 'Natural Scenes Dataset folder',

  async recognise(inventory, map) {
    const design = await findDesign(inventory)
    const sessions = design ? await findSessions(inventory, map) : []
    if (!design || !sessions.length) return null
    return {
      confidence: 0.95,
      explanation: `${sessions.length} sessions of betas and the experiment design ${design.file.name}`,
    }
  },

  async subjects(inventory) {
    const files = inventory.ofFormat('hdf5', 'nifti').filter(({ name }) => sessionNumber(name) !== undefined)
    return subjectsOf(
      inventory,
      files.filter(({ name }) => /betas/i.test(name)),
    )
  },

  async open(inventory, map): Promise<Study> {
    const design = await findDesign(inventory)
    const sessions = await findSessions(inventory, map)
    if (!design || !sessions.length) throw inventory.missing('betas_sessionNN files and nsd_expdesign.mat')
    const found = await findPictures(inventory)
    if (!found) throw inventory.missing('the pictures (nsd_stimuli.hdf5 with imgBrick)')
    const { grid } = sessions[0]
    for (const session of sessions)
      if (session.grid.join() !== grid.join())
        throw formatError(
          session.file.name,
          'volume',
          `${grid.join(' x ')}, as ${sessions[0].file.name}`,
          session.grid.join(' x '),
        )
    const subject = whichSubject(inventory, map, sessions, design)
    const masks: Masks = findMasks(
      inventory,
      grid,
      sessions.map((session) => session.file.path),
      subject,
    )

    const firsts = firstTrials(sessions, design)
    const count = sessions.reduce((n, session) => n + session.trials, 0)
    const trials = emptyTrials(count)
    const shown = new Int32Array(count)
    let row = 0
    sessions.forEach((session, i) => {
      const runs = design.runs?.[session.number - 1]
      const runOf = runs?.flatMap((n, r) => Array<number>(n).fill(r + 1))
      const runsFit = runOf?.length === session.trials
      for (let t = 0; t < session.trials; t++, row++) {
        const place = design.order[firsts[i] + t]
        if (!(place >= 0 && place < design.images.perSubject))
          throw formatError(
            design.file.name,
            'masterordering',
            `trial ${firsts[i] + t + 1} of session ${session.number}`,
            String(place),
          )
        shown[row] = design.images.ids[(subject - 1) * design.images.perSubject + place]
        trials.session[row] = session.number
        trials.part[row] = design.shared.has(shown[row]) ? 1 : 0
        if (runOf && runsFit) trials.run[row] = session.number * 100 + runOf[t]
      }
    })
    const bad = shown.find((id) => !(id >= 0 && id < found.pictures.count))
    if (bad !== undefined)
      throw formatError(found.file.name, 'imgBrick', `a picture for id ${bad}`, `${found.pictures.count} pictures`)
    const ids73k = distinct(shown)
    const place = new Map([...ids73k].map((id, i) => [id, i]))
    shown.forEach((id, i) => (trials.stimulus[i] = place.get(id)!))

    const ends = sessions.map((_, i) => sessions.slice(0, i + 1).reduce((n, session) => n + session.trials, 0))
    return {
      name: `subj${String(subject).padStart(2, '0')}`,
      sources: [...sessions.map((s) => s.file.path), design.file.path, found.file.path, ...masks.sources],
      trials,
      stimuli: { ids: [...ids73k].map(String) },
      voxelCount: masks.voxels.length,
      image: found.pictures.image,
      readVoxels(start, stop) {
        const out = new Float32Array((stop - start) * masks.voxels.length)
        sessions.forEach((session, i) => {
          const begin = ends[i] - session.trials
          const from = Math.max(start, begin)
          const to = Math.min(stop, ends[i])
          if (from < to)
            out.set(session.read(from - begin, to - begin, masks.voxels), (from - start) * masks.voxels.length)
        })
        return out
      },
      readImages: (start, stop) => found.pictures.read(ids73k.subarray(start, stop)),
      rois: masks.rois,
      positions: maskedPositions(masks),
      volume: { shape: [...grid], affine: masks.affine.flat() },
      checks: () => [
        {
          code: 'nsd.sessions',
          level: 'warning',
          ok: sessions.every((session, i) => session.number === i + 1),
          title: 'Sessions without gaps',
          expected: 'sessions 1 to the last',
          found: sessions.map((session) => session.number).join(', '),
          detail: '',
        },
        {
          code: 'nsd.mask',
          level: 'note',
          ok: true,
          title: 'Voxels taken',
          expected: 'the voxels of nsdgeneral',
          found: `${masks.voxels.length} of ${grid.join(' x ')}, ${masks.chosen}`,
          detail: `Whole numbers were divided by ${STORED_PER_PERCENT}: percent signal change.`,
        },
        ...nsdCountChecks(subject, masks.voxels.length, count),
      ],
    }
  },
}
