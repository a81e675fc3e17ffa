import { computed, ref, shallowRef, watch } from 'vue'
import type { Estimate, Problem as FieldProblem } from '../../src-main/actions/estimate.ts'
import type { ListedPresets } from '../../src-main/actions/presets.ts'
import type { RunRecord } from '../../src-main/workspace/index.ts'
import { api, toProblem, type Problem } from '../shared/api.ts'
import { useSelection } from '../shared/selection.ts'
import { useWorkspace } from '../shared/workspace.ts'
import { changedOptions, configOf } from './compareRuns.ts'
import { presetValues, valueText, type Value, type Values } from './options.ts'

/** What a new training is asked for; plain data, since undo brings it back. */
export interface Form {
  preset: string
  /** Empty: the one that the import chose. */
  split: string
  seed: string
  pack: string
  /** Options that are not the preset's, as typed. */
  changes: Record<string, string>
}

const WAIT_MS = 250
const NEW: Form = { preset: 'small-study', split: '', seed: '42', pack: '', changes: {} }

/** The form of a new training, with what the app says about it. */
export function createForm() {
  const selection = useSelection()
  const workspace = useWorkspace()
  const form = ref<Form>({ ...NEW })
  const catalogue = shallowRef<ListedPresets>()
  const estimate = shallowRef<Estimate>()
  /** Why there is no estimate at all. */
  const failure = shallowRef<Problem>()
  const isEstimating = ref(false)

  const subject = computed(() => workspace.subjectOf(selection.subject) ?? workspace.subjects[0])
  const preset = computed(() => catalogue.value?.presets.find(({ id }) => id === form.value.preset))
  const defaults = computed<Values>(() =>
    catalogue.value && preset.value ? presetValues(catalogue.value.options, preset.value) : {},
  )
  const values = computed<Values>(() => ({ ...defaults.value, ...parsed(form.value.changes, defaults.value) }))
  const problems = computed<FieldProblem[]>(() => {
    const own = /^-?\d{1,15}$/.test(form.value.seed.trim())
      ? []
      : [{ field: 'seed', expected: 'a whole number', found: `'${form.value.seed}'` }]
    return [...own, ...(estimate.value?.problems ?? [])]
  })
  const problemOf = (field: string) => problems.value.find((problem) => problem.field === field)

  function change(name: string, text: string) {
    const { [name]: _, ...others } = form.value.changes
    const isPresets = text.trim() === valueText(defaults.value[name])
    form.value.changes = isPresets ? others : { ...others, [name]: text.trim() }
  }

  const input = () => ({
    subject: subject.value.id,
    preset: form.value.preset as 'demo',
    split: form.value.split || undefined,
    seed: Number(form.value.seed),
    pack: form.value.pack || undefined,
    set: Object.entries(form.value.changes).map(([name, text]) => `${name}=${text}`),
  })

  let asked = 0
  async function ask() {
    if (!subject.value || !preset.value || problemOf('seed')) return
    const question = ++asked
    isEstimating.value = true
    try {
      const answer = await api.estimate.mutate(input())
      if (question !== asked) return
      estimate.value = answer
      failure.value = undefined
    } catch (error) {
      if (question === asked) failure.value = toProblem(error)
    } finally {
      if (question === asked) isEstimating.value = false
    }
  }

  let timer = 0
  watch(
    [form, () => subject.value?.id, preset, () => workspace.activeJobs.length],
    () => {
      window.clearTimeout(timer)
      timer = window.setTimeout(() => void ask(), WAIT_MS)
    },
    { deep: true },
  )

  async function loadCatalogue() {
    catalogue.value ??= await api.presets.mutate({})
  }

  /** Fills the form with what a run was told. */
  function fillFrom(run: RunRecord) {
    const { training, split, seed, pack } = configOf(run)
    const known = catalogue.value?.presets.find(({ id }) => id === run.preset) ?? catalogue.value?.presets[0]
    if (!training || !known || !catalogue.value) return
    const own = presetValues(catalogue.value.options, known)
    selection.selectSubject(run.subject)
    form.value = {
      preset: known.id,
      split: split ?? '',
      seed: String(seed ?? 42),
      pack: pack?.id ?? '',
      // Exact, so that the copy is told what its original was.
      changes: Object.fromEntries(changedOptions(run, own).map(({ name, value }) => [name, String(value)])),
    }
  }

  return {
    ...{ form, catalogue, estimate, failure, isEstimating, subject, preset, defaults, values, problems },
    ...{ problemOf, change, input, loadCatalogue, fillFrom },
  }
}

/** Typed texts as the values that they stand for, as `--set` takes them. */
function parsed(changes: Record<string, string>, defaults: Values): Values {
  return Object.fromEntries(
    Object.entries(changes).map(([name, text]): [string, Value] => {
      if (typeof defaults[name] === 'boolean') return [name, text === 'true']
      return [name, typeof defaults[name] === 'number' && Number.isFinite(Number(text)) ? Number(text) : text]
    }),
  )
}
