import { defineStore } from 'pinia'
import { computed, markRaw, ref } from 'vue'
import type { Imported } from '../../src-main/actions/import.ts'
import type { AttachedSurfaces } from '../../src-main/actions/surfaces.ts'
import type { Offer, OfferedProposal } from '../../src-main/api/routes/subjects.ts'
import type { PickedItem } from '../../src-main/api/routes/uploads.ts'
import type { Inspection } from '../../src-main/subjects/importer.ts'
import type { JobRecord } from '../../src-main/workspace/index.ts'
import { sendJson, start, toProblem, type Problem } from '../shared/api.ts'
import { useSelection } from '../shared/selection.ts'
import { toast } from '../shared/toasts.ts'
import { useWorkspace } from '../shared/workspace.ts'
import type { DroppedFile } from './droppedFiles.ts'
import { groupOf, uploadFiles, type UploadProgress } from './upload.ts'

/** One dataset of a drop, from its recognition to its import. */
export interface Candidate {
  key: number
  drop: number
  proposal: OfferedProposal
  /** `KEY=NAME`, as given by hand or found with it. */
  map: string[]
  /** The id to import it as. */
  as: string
  state: 'waiting' | 'inspecting' | 'inspected' | 'importing' | 'imported'
  job?: number
  inspection?: Inspection
  /** What came of surfaces that were attached to the subject `as`. */
  attached?: AttachedSurfaces
  problem?: Problem
}

/** What was dropped or picked at once. */
export interface Drop {
  key: number
  title: string
  state: 'uploading' | 'looking' | 'done' | 'failed'
  upload?: UploadProgress
  /** Of an upload. */
  group?: string
  problem?: Problem
}

const controllers = new Map<number, AbortController>()

/** Everything between a drop and a subject. */
export const useImports = defineStore('imports', () => {
  const workspace = useWorkspace()
  const selection = useSelection()
  const drops = ref<Drop[]>([])
  const candidates = ref<Candidate[]>([])
  const mapKeys = ref<Readonly<Record<string, string>>>({})
  /** The sheet is shown in place of the subject. */
  const isOpen = ref(false)
  const isBrowsing = ref(false)
  let last = 0

  const isEmpty = computed(() => !drops.value.length)

  function addDrop(drop: Omit<Drop, 'key'>): Drop {
    isOpen.value = true
    isBrowsing.value = false
    drops.value = [{ key: ++last, ...drop }, ...drops.value]
    return drops.value[0]
  }

  /** Files from this computer, through an upload. */
  async function addFiles(files: DroppedFile[], title: string) {
    const drop = addDrop({ title, state: 'uploading' })
    if (!files.length)
      return fail(drop, {
        message: '',
        expected: 'files',
        found: 'none',
        where: title,
        fix: 'Drop a file, or a folder with files in it.',
      })
    const controller = new AbortController()
    controllers.set(drop.key, controller)
    try {
      drop.group = await groupOf(files)
      const picked = await uploadFiles(drop.group, files, controller.signal, (upload) => (drop.upload = upload))
      await look(drop, picked)
    } catch (error) {
      if (!controller.signal.aborted) fail(drop, toProblem(error))
    } finally {
      controllers.delete(drop.key)
    }
  }

  /** Files that the app reaches itself, by handles of its dialogs or its file browser. */
  async function addHandles(handles: readonly string[], title: string) {
    if (!handles.length) return
    const drop = addDrop({ title, state: 'looking' })
    try {
      await look(
        drop,
        handles.map((handle) => ({ handle })),
      )
    } catch (error) {
      fail(drop, toProblem(error))
    }
  }

  function fail(drop: Drop, problem: Problem) {
    drop.state = 'failed'
    drop.problem = problem
  }

  async function look(drop: Drop, picked: readonly Pick<PickedItem, 'handle'>[]) {
    drop.state = 'looking'
    const paths = picked.map(({ handle }) => handle)
    const offer = await sendJson<Offer>('POST', 'subjects/proposals', { paths })
    if (!drops.value.includes(drop)) return
    mapKeys.value = offer.mapKeys
    drop.state = 'done'
    const added = offer.proposals.map((proposal): Candidate => ({
      key: ++last,
      drop: drop.key,
      proposal: markRaw(proposal),
      map: Object.entries(proposal.map).map(([key, value]) => `${key}=${value}`),
      as: freeId(proposal.recognised?.name ?? ''),
      state: 'waiting',
    }))
    candidates.value = [...added, ...candidates.value]
    // The reader process takes one after the other; the first one's checks are the first to be seen.
    for (const { key, proposal } of added) if (proposal.recognised) await inspect(find(key)!)
  }

  const find = (key: number) => candidates.value.find((candidate) => candidate.key === key)

  /** The proposed id, or the next one like it that neither a subject nor another candidate has. */
  function freeId(id: string): string {
    const taken = new Set([...workspace.subjects.map((subject) => subject.id), ...candidates.value.map(({ as }) => as)])
    if (!id || !taken.has(id)) return id
    for (let n = 2; ; n++) if (!taken.has(`${id}-${n}`)) return `${id}-${n}`
  }

  /** Why a candidate cannot be imported under its id; undefined when it can. */
  function idProblem({ key, as }: Candidate): string | undefined {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(as))
      return 'Letters, digits, dot, hyphen and underscore, beginning with a letter or digit.'
    if (workspace.subjectOf(as)) return `${as} is a subject of this workspace already.`
    const isTwice = candidates.value.some((other) => other.key !== key && other.as === as && other.state !== 'imported')
    return isTwice ? 'Another dataset here has this id.' : undefined
  }

  /** What stands before an import, beside the id; undefined when nothing does. */
  function blockedBy(candidate: Candidate): string | undefined {
    const { state, inspection } = candidate
    if (state === 'importing' || state === 'imported') return undefined
    if (state !== 'inspected' || !inspection)
      return state === 'inspecting' ? 'The checks come first.' : 'It has not been checked yet.'
    if (inspection.checks.some(({ ok, level }) => !ok && level === 'error'))
      return 'A check that does not hold forbids it.'
    return undefined
  }

  const canImport = (candidate: Candidate) =>
    candidate.state === 'inspected' && !blockedBy(candidate) && !idProblem(candidate)

  const pathsOf = ({ proposal }: Candidate) => proposal.picked.map(({ handle }) => handle)

  const rename = (candidate: Candidate, as: string) => (candidate.as = as)

  /** Reads everything once and shows every check, with another mapping if one is given. */
  async function inspect(candidate: Candidate, map = candidate.map) {
    candidate.map = map
    candidate.state = 'inspecting'
    candidate.inspection = candidate.problem = undefined
    const record = await follow(candidate, () =>
      start.inspect.mutate({ paths: pathsOf(candidate), map: candidate.map }),
    )
    if (record?.state !== 'done') {
      candidate.state = 'waiting'
      return
    }
    candidate.inspection = markRaw(record.result as unknown as Inspection)
    candidate.as ||= freeId(candidate.inspection.name)
    candidate.state = 'inspected'
  }

  async function importOne(candidate: Candidate) {
    candidate.state = 'importing'
    candidate.problem = undefined
    const input = { paths: pathsOf(candidate), map: candidate.map, as: candidate.as }
    const record = await follow(candidate, () => start.import.mutate(input))
    if (record?.state !== 'done') {
      candidate.state = candidate.inspection ? 'inspected' : 'waiting'
      return
    }
    const { subject } = record.result as unknown as Imported
    candidate.state = 'imported'
    toast(`Imported ${subject}`)
    selection.selectSubject(subject)
    const left = candidates.value.filter(
      (one) => one.state !== 'imported' && (one.proposal.recognised || one.inspection),
    )
    if (!left.length) close()
  }

  /** Gives surfaces to a subject that is there already; nothing of the files is needed afterwards. */
  async function attach(candidate: Candidate, subject: string) {
    candidate.state = 'importing'
    candidate.problem = undefined
    const record = await follow(candidate, () => start.surfaces.mutate({ subject, paths: pathsOf(candidate) }))
    if (record?.state !== 'done') {
      candidate.state = 'waiting'
      return
    }
    candidate.attached = markRaw(record.result as unknown as AttachedSurfaces)
    candidate.as = subject
    candidate.state = 'imported'
    toast(`Surfaces attached to ${subject}`)
  }

  /** Starts a job for a candidate and waits for its end; what goes wrong is the candidate's problem. */
  async function follow(candidate: Candidate, begin: () => Promise<{ job: number }>): Promise<JobRecord | undefined> {
    try {
      const { job } = await begin()
      candidate.job = job
      const record = await workspace.jobEnd(job)
      if (record.error) candidate.problem = { ...record.error, message: record.error.found }
      return record
    } catch (error) {
      candidate.problem = toProblem(error)
      return undefined
    } finally {
      candidate.job = undefined
    }
  }

  /** Takes a drop off the sheet, with what was uploaded for it unless something was imported from it. */
  async function dismiss(drop: Drop) {
    controllers.get(drop.key)?.abort()
    const own = candidates.value.filter((candidate) => candidate.drop === drop.key)
    for (const { job, state } of own) if (job !== undefined && state === 'inspecting') void workspace.cancel(job)
    drops.value = drops.value.filter(({ key }) => key !== drop.key)
    candidates.value = candidates.value.filter((candidate) => candidate.drop !== drop.key)
    if (isEmpty.value) isOpen.value = isBrowsing.value
    const isUsed = own.some(({ state, attached }) => (state === 'imported' && !attached) || state === 'importing')
    if (drop.group && !isUsed) await sendJson('DELETE', `uploads/groups/${drop.group}`).catch(() => {})
  }

  function close() {
    isOpen.value = isBrowsing.value = false
    const done = drops.value.filter(({ key, state }) => {
      const own = candidates.value.filter((candidate) => candidate.drop === key)
      return state === 'failed' || (own.length > 0 && own.every((candidate) => candidate.state === 'imported'))
    })
    for (const drop of done) void dismiss(drop)
  }

  return {
    drops,
    candidates,
    mapKeys,
    isOpen,
    isBrowsing,
    isEmpty,
    addFiles,
    addHandles,
    idProblem,
    rename,
    blockedBy,
    canImport,
    inspect,
    importOne,
    attach,
    dismiss,
    close,
  }
})
