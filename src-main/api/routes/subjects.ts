import { Hono } from 'hono'
import * as v from 'valibot'
import { uploadUsers } from '../../actions/uploads.ts'
import { MindEyeError } from '../../base/errors.ts'
import { atlasWebp, thumbnailPng } from '../../formats/thumbnails.ts'
import { MAP_KEYS } from '../../subjects/mapping.ts'
import { profileOf, type SubjectProfile } from '../../subjects/profile.ts'
import type { Proposal } from '../../subjects/proposals.ts'
import type { Subject } from '../../subjects/subject.ts'
import { bodyOf } from '../body.ts'
import type { Services } from '../services.ts'
import { MadeLately, tagged } from '../tagged.ts'
import { pick, type PickedItem } from './uploads.ts'

/** A dataset among what was dropped, its files as handles that `inspect` and `import` take. */
export type OfferedProposal = Omit<Proposal, 'paths'> & { picked: PickedItem[] }

export interface Offer {
  proposals: OfferedProposal[]
  /** What a mapping can name, with its meaning. */
  mapKeys: Readonly<Record<string, string>>
}

export interface SubjectDetail extends SubjectProfile {
  id: string
  /** Changes when the subject is imported anew: `?v=` of its pictures. */
  version: string
  /** Runs trained on it. */
  runs: number
  /** Of its sources, those that were uploaded into the workspace and that nothing else uses; they go with it. */
  uploadedBytes: number
}

/** The trial table by columns, one value per trial. */
export interface TrialColumns {
  count: number
  stimulus: number[]
  /** 0 train, 1 test, -1 none */
  part: number[]
  session: number[]
  run: number[]
  /** By stimulus index. */
  ids: string[]
}

const KEPT_BYTES = 64 * 2 ** 20
const MOST_PIXELS = 1024
const MOST_IN_ATLAS = 256

const dropped = v.object({ paths: v.pipe(v.array(v.string()), v.minLength(1)) })

/** The imported subjects: facts, trials and pictures, and what dropped files would make as new ones. */
export const subjectRoutes = (services: Services) => {
  const { workspace, subjects } = services
  const made = new MadeLately(KEPT_BYTES)
  const profiles = new Map<string, { version: string; profile: SubjectProfile }>()

  async function detailOf(id: string): Promise<SubjectDetail> {
    const version = subjects.versionOf(id)
    let known = profiles.get(id)
    if (known?.version !== version) {
      const subject = await subjects.get(id)
      known = { version, profile: profileOf(subject, workspace.subjects.get(id).folder) }
      profiles.set(id, known)
    }
    const runs = workspace.runs.list().filter(({ subject }) => subject === id).length
    const uploadedBytes = ownUploads(services, id).reduce((sum, { size }) => sum + size, 0)
    return { id, version, ...known.profile, runs, uploadedBytes }
  }

  return new Hono()
    .post('/proposals', async (c) => {
      const { paths } = await bodyOf(c, dropped)
      const resolved = paths.map((handle) => services.picked.resolve(handle))
      const proposals = await services.ctx.reader().call('propose', { paths: resolved }, { signal: c.req.raw.signal })
      const offer: Offer = {
        proposals: proposals.map(({ paths, ...proposal }) => ({
          ...proposal,
          picked: paths.map((path) => pick(services, path)),
        })),
        mapKeys: MAP_KEYS,
      }
      return c.json(offer)
    })
    .get('/:id', async (c) => {
      const detail = await detailOf(c.req.param('id'))
      return c.json(detail, 200, { 'Cache-Control': 'no-store' })
    })
    .get('/:id/trials', async (c) => {
      const id = c.req.param('id')
      return tagged(c, 'application/json', `trials-${id}-${subjects.versionOf(id)}`, async () =>
        JSON.stringify(columnsOf(await subjects.get(id))),
      )
    })
    .get('/:id/stimuli/:file{[0-9]+\\.png}', async (c) => {
      const id = c.req.param('id')
      const index = Number.parseInt(c.req.param('file'), 10)
      const size = sizeOf(c.req.query('size'), 256)
      const tag = `${id}-${subjects.versionOf(id)}-${index}-${size}`
      return tagged(c, 'image/png', tag, () =>
        made.get(tag, async () => thumbnailPng(pictures(await subjects.get(id), [index])[0], size)),
      )
    })
    .get('/:id/atlas', async (c) => {
      const id = c.req.param('id')
      const start = Number(c.req.query('start') ?? 0)
      const count = Math.min(MOST_IN_ATLAS, Number(c.req.query('count') ?? 64))
      const columns = Math.min(count, Number(c.req.query('columns') ?? 8))
      const size = Math.min(256, sizeOf(c.req.query('size'), 64))
      if (![start, count, columns].every(Number.isInteger) || start < 0 || columns < 1)
        throw new MindEyeError({
          kind: 'input',
          where: 'atlas',
          expected: 'whole numbers',
          found: c.req.url.split('?')[1],
        })
      const tag = `atlas-${id}-${subjects.versionOf(id)}-${start}-${count}-${columns}-${size}`
      return tagged(c, 'image/webp', tag, () =>
        made.get(tag, async () => {
          const subject = await subjects.get(id)
          const stop = Math.min(start + count, subject.manifest.stimulusCount)
          const wanted = Array.from({ length: Math.max(0, stop - start) }, (_, i) => start + i)
          return atlasWebp(pictures(subject, wanted), size, columns)
        }),
      )
    })
    .delete('/:id', (c) => {
      const id = c.req.param('id')
      workspace.subjects.get(id)
      const busy = workspace.runs
        .list()
        .find((run) => run.subject === id && (run.state === 'running' || run.state === 'queued'))
      if (busy)
        throw new MindEyeError({
          kind: 'state',
          where: id,
          expected: 'a subject that no training reads',
          found: `the run ${busy.id}, which is ${busy.state}`,
          fix: 'Stop the run first.',
        })
      const uploads = ownUploads(services, id)
      subjects.forget(id)
      profiles.delete(id)
      workspace.subjects.remove(id)
      for (const { group } of uploads) workspace.uploads.discard(group)
      return c.json({ removed: id })
    })
}

function columnsOf({ trials, stimuli }: Subject): TrialColumns {
  return {
    count: trials.count,
    stimulus: [...trials.stimulus],
    part: [...trials.part],
    session: [...trials.session],
    run: [...trials.run],
    ids: stimuli.ids,
  }
}

function pictures(subject: Subject, indices: number[]) {
  const bad = indices.find((index) => index >= subject.manifest.stimulusCount)
  if (bad !== undefined)
    throw new MindEyeError({
      kind: 'input',
      where: `${subject.manifest.id}, stimuli`,
      expected: `an index below ${subject.manifest.stimulusCount}`,
      found: String(bad),
    })
  const { height, width, channels, data } = subject.readImages(indices)
  const size = height * width * channels
  return indices.map((_, i) => ({ height, width, channels, data: data.subarray(i * size, (i + 1) * size) }))
}

function sizeOf(text: string | undefined, usual: number): number {
  const size = text === undefined ? usual : Number(text)
  if (Number.isInteger(size) && size >= 8 && size <= MOST_PIXELS) return size
  throw new MindEyeError({ kind: 'input', where: 'size', expected: `8 to ${MOST_PIXELS} pixels`, found: String(text) })
}

/** The drops that only this subject was imported from. */
function ownUploads({ workspace }: Services, id: string): { group: string; size: number }[] {
  const user = `subject ${id}`
  const own = [...uploadUsers(workspace)].filter(([, users]) => users.size === 1 && users.has(user))
  const sources = workspace.subjects.get(id).manifest.sources as { path: string; size: number }[]
  return own.map(([group]) => ({
    group,
    size: sources.reduce((sum, { path, size }) => sum + (workspace.uploads.groupOf(path) === group ? size : 0), 0),
  }))
}
