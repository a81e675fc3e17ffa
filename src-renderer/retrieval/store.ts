import { defineStore } from 'pinia'
import { computed, markRaw, ref, watch } from 'vue'
import { api, getJson, start, toProblem, type Problem } from '../shared/api.ts'
import { useHistory } from '../shared/history.ts'
import { useLoaded } from '../shared/reload.ts'
import { useSelection } from '../shared/selection.ts'
import { useWorkspace } from '../shared/workspace.ts'
import {
  loadAnswers,
  loadFacts,
  loadFound,
  type Direction,
  type Facts,
  type GalleryDetail,
  type MapMethod,
  type Repeats,
} from './data.ts'
import { foundOf, type Found } from './found.ts'

/** What finished runs retrieve, for the selected trial and for all. */
export const useRetrieval = defineStore('retrieval', () => {
  const selection = useSelection()
  const workspace = useWorkspace()

  const direction = ref<Direction>('image')
  /** Distinct images to choose from; undefined: all that were held out. */
  const pool = ref<number>()
  const seed = ref(42)
  /** Undefined: as the run was trained. */
  const repeats = ref<Repeats>()
  /** Undefined: the test images. */
  const gallery = ref<string>()
  const method = ref<MapMethod>('pca')
  useHistory().include('retrieval', { direction, pool, seed, repeats, gallery, method })

  /** Number in the gallery of the image that was picked there. */
  const galleryPick = ref<number>()
  /** While the candidate is held in the place of the stimulus, to compare them. */
  const isComparing = ref(false)

  const finished = computed(() => workspace.runs.filter(({ state }) => state === 'done'))
  /** The selected run, once it is finished. */
  const run = computed(() => {
    const record = workspace.runOf(selection.run)
    return record?.state === 'done' ? record : undefined
  })

  const loadedFacts = useLoaded(
    () => run.value && JSON.stringify([run.value.id, repeats.value, run.value.finished]),
    (_key, signal) => loadFacts(run.value!.id, repeats.value, signal),
  )
  const facts = computed(() => (loadedFacts.value?.run === run.value?.id ? loadedFacts.value : undefined))
  /** Kept apart from the facts, so that what belongs together is asked for together. */
  const asked = (which: Direction) => () =>
    facts.value && { facts: facts.value, direction: which, pool: pool.value, seed: seed.value }
  const answersOf = (which: Direction) =>
    useLoaded(asked(which), ({ facts, ...question }, signal) => loadAnswers(facts, question, signal))
  const images = answersOf('image')
  const brains = answersOf('brain')
  const answers = computed(() => (direction.value === 'image' ? images : brains))
  /** Those that are about these facts: after a switch of runs the former ones stay until the new have come. */
  const fitting = <T extends { facts: Facts }>(loaded: { value: T | undefined }): T | undefined =>
    loaded.value?.facts === facts.value ? loaded.value : undefined
  /** The answers in the direction that is shown. */
  const table = computed(() => fitting(answers.value))

  const scores = useLoaded(
    () => facts.value && JSON.stringify([facts.value.run, facts.value.repeats, pool.value, seed.value]),
    (_key, signal) =>
      api.evaluate.mutate(
        {
          run: facts.value!.run,
          kind: 'none',
          repeats: facts.value!.repeats,
          top: '1,5',
          pool: pool.value,
          seed: seed.value,
        },
        { signal },
      ),
  )

  // A pool of another run may be larger than all that this one held out.
  watch(facts, (now) => {
    if (now && pool.value !== undefined && pool.value > now.images) pool.value = undefined
    if (now && repeats.value !== undefined && !now.offered.includes(repeats.value)) repeats.value = undefined
  })

  /** Changes when a job of this kind ends. */
  function endedJobs(action: string): string {
    const ended = workspace.jobs.filter(
      (job) => job.action === action && job.state !== 'running' && job.state !== 'queued',
    )
    return ended.map(({ id }) => id).join()
  }

  const galleriesLoaded = useLoaded(
    () => (workspace.ready ? endedJobs('gallery') : undefined),
    (_key, signal) => getJson<GalleryDetail[]>('retrieval/galleries', signal),
  )
  const galleries = computed(() => galleriesLoaded.value ?? [])
  const galleryDetail = computed(() => galleries.value.find(({ id }) => id === gallery.value))
  watch(
    () => galleriesLoaded.value,
    (list) => {
      if (list && gallery.value !== undefined && !list.some(({ id }) => id === gallery.value)) gallery.value = undefined
    },
  )
  const foundInGallery = useLoaded(
    () =>
      facts.value &&
      galleryDetail.value && { facts: facts.value, id: galleryDetail.value.id, jobs: endedJobs('retrieve') },
    ({ facts, id }, signal) => loadFound(facts, id, signal),
  )
  watch([gallery, () => selection.trial], () => (galleryPick.value = undefined))

  /** The row of the selected trial; one that was averaged with its repeats stands for all of them. */
  const row = computed(() =>
    facts.value && selection.trial !== undefined ? rowOf(facts.value, selection.trial) : undefined,
  )
  /** Stimulus of each trial of the subject, where it is known; set by who loads the table. */
  const stimulusOf = ref<(trial: number) => number | undefined>(() => undefined)

  function rowOf({ rowOfTrial, rowsOf, columnOf }: Facts, trial: number): number | undefined {
    const exact = rowOfTrial.get(trial)
    if (exact !== undefined) return exact
    const stimulus = stimulusOf.value(trial)
    const column = stimulus === undefined ? undefined : columnOf.get(stimulus)
    return column === undefined ? undefined : rowsOf.get(column)?.[0]
  }

  /** What the selected trial (or, in the brain direction, its image) finds. */
  const found = computed((): Found | undefined => {
    if (!facts.value || row.value === undefined) return undefined
    if (galleryDetail.value) {
      const inGallery = fitting(foundInGallery)
      return inGallery?.ready && inGallery.gallery === gallery.value
        ? foundOf.gallery(facts.value, inGallery, row.value)
        : undefined
    }
    return table.value && foundOf[table.value.direction](facts.value, table.value, row.value)
  })
  /** Place among the found ones of the picked candidate, the best unless another was picked. */
  const place = computed(() => {
    const list = found.value?.list ?? []
    const wanted = galleryDetail.value ? galleryPick.value : selection.candidate
    return Math.max(
      0,
      list.findIndex((one) => one.key === wanted),
    )
  })
  const candidate = computed(() => found.value?.list[place.value])

  function pick(key: number) {
    if (galleryDetail.value) galleryPick.value = key
    else selection.candidate = key
  }
  function stepCandidate(by: number) {
    const list = found.value?.list ?? []
    const next = list[Math.min(list.length - 1, Math.max(0, place.value + by))]
    if (next) pick(next.key)
  }

  /** Rank of the right one in both directions for a row; undefined while it is not known. */
  const ranksOf = (of: number) => ({
    image: fitting(images)?.rank[of],
    brain: facts.value && fitting(brains)?.rank[facts.value.seen.indexOf(facts.value.own[of])],
  })

  const problem = ref<Problem>()
  /** Adds a folder, known by its handle, as a gallery; retrieves from it once it is there. */
  async function addGallery(handle: string, name: string) {
    problem.value = undefined
    try {
      const { job } = await start.gallery.mutate({ do: 'add', target: handle, as: freeId(name) })
      const record = await workspace.jobEnd(job)
      if (record.error) problem.value = { ...record.error, message: record.error.found }
      if (record.state === 'done') gallery.value = (record.result as { gallery: { id: string } }).gallery.id
    } catch (error) {
      problem.value = toProblem(error)
    }
  }
  async function removeGallery(id: string) {
    try {
      await api.gallery.mutate({ do: 'remove', target: id })
      galleriesLoaded.reload()
    } catch (error) {
      problem.value = toProblem(error)
    }
  }
  function freeId(name: string): string {
    const plain =
      name
        .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
        .replace(/^[^A-Za-z0-9]+/, '')
        .slice(0, 60) || 'gallery'
    const taken = new Set(galleries.value.map(({ id }) => id))
    if (!taken.has(plain)) return plain
    for (let n = 2; ; n++) if (!taken.has(`${plain}-${n}`)) return `${plain}-${n}`
  }

  /** Embeds the chosen gallery for the run and retrieves from it, as a job. */
  async function retrieveFromGallery() {
    problem.value = undefined
    try {
      await start.retrieve.mutate({
        run: facts.value!.run,
        gallery: gallery.value!,
        repeats: facts.value!.repeats,
        top: 1,
      })
    } catch (error) {
      problem.value = toProblem(error)
    }
  }
  const galleryJob = computed(() =>
    workspace.activeJobs.find(
      ({ action, input }) => action === 'retrieve' && input.gallery === gallery.value && input.run === run.value?.id,
    ),
  )

  return {
    direction,
    pool,
    seed,
    repeats,
    gallery,
    method,
    isComparing,
    finished,
    run,
    facts,
    loadedFacts: markRaw(loadedFacts),
    images: markRaw(images),
    brains: markRaw(brains),
    answers,
    table,
    scores: markRaw(scores),
    galleries,
    galleryDetail,
    galleriesLoaded: markRaw(galleriesLoaded),
    foundInGallery: markRaw(foundInGallery),
    row,
    rowOf,
    stimulusOf,
    found,
    place,
    candidate,
    pick,
    stepCandidate,
    ranksOf,
    problem,
    addGallery,
    removeGallery,
    retrieveFromGallery,
    galleryJob,
  }
})
