import * as v from 'valibot'
import { MindEyeError } from '../base/errors.ts'
import { wording } from '../base/wording.ts'
import { kinds } from '../reconstruction/sets.ts'
import { journalPreset, presetIds } from './presets.ts'
import type { JournalPreset } from './presets.ts'

/** Columns of a page's grid, whatever its width. */
export const GRID = 12

const whole = v.pipe(v.number(), v.integer(), v.minValue(0))
const run = v.string()
const some = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(60)))
/** Which held-out trials: by their rows in the subject's trial table, or so many that lie evenly spaced among all. */
const chosen = { trials: v.optional(v.array(whole)), show: some }

/** What a cortex can show here. */
export const cortexMaps = ['noise-ceiling', 'weights'] as const

/** Where the data of a panel come from. */
const sources = {
  retrieval: v.strictObject({ run, ...chosen, top: some }),
  reconstruction: v.strictObject({
    run,
    ...chosen,
    set: v.optional(v.string()),
    rows: v.optional(v.array(v.picklist(kinds))),
  }),
  scores: v.strictObject({ run, set: v.optional(v.string()), reconstructions: v.optional(v.boolean()) }),
  comparison: v.strictObject({ runs: v.pipe(v.array(run), v.minLength(2), v.maxLength(12)) }),
  ranks: v.strictObject({ run }),
  training: v.strictObject({ run, value: v.optional(v.string()) }),
  cortex: v.strictObject({
    subject: v.string(),
    map: v.picklist(cortexMaps),
    /** For the map of a decoder's weights. */
    run: v.optional(run),
    areas: v.optional(v.array(v.string())),
    limits: v.optional(
      v.pipe(
        v.tuple([v.number(), v.number()]),
        v.check(([low, high]) => low < high, 'ascending limits'),
      ),
    ),
  }),
  insights: v.strictObject({ job: whole, measure: v.optional(v.string()) }),
}

const common = {
  id: v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,40}$/, 'small letters, digits and hyphens')),
  columns: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(GRID)),
  /** In mm; default: what it needs. */
  height: v.optional(v.pipe(v.number(), v.minValue(5), v.maxValue(400))),
  title: v.optional(v.string()),
  caption: v.optional(v.string()),
  /** When its user froze it, the state of its source then, and the name under which its data are kept. */
  frozen: v.optional(
    v.strictObject({ at: v.string(), fingerprint: v.string(), data: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)) }),
  ),
}

const panel = v.variant('kind', [
  v.strictObject({ kind: v.literal('retrieval'), source: sources.retrieval, ...common }),
  v.strictObject({ kind: v.literal('reconstruction'), source: sources.reconstruction, ...common }),
  v.strictObject({ kind: v.literal('scores'), source: sources.scores, ...common }),
  v.strictObject({ kind: v.literal('comparison'), source: sources.comparison, ...common }),
  v.strictObject({ kind: v.literal('cortex'), source: sources.cortex, ...common }),
  v.strictObject({ kind: v.literal('ranks'), source: sources.ranks, ...common }),
  v.strictObject({ kind: v.literal('training'), source: sources.training, ...common }),
  v.strictObject({ kind: v.literal('insights'), source: sources.insights, ...common }),
])

const document = v.strictObject({
  version: v.literal(1),
  title: v.string(),
  preset: v.picklist(presetIds),
  /** Name of one of the preset's widths. */
  width: v.string(),
  panels: v.array(panel),
})

/** A panel on a page: its kind, where its data come from, how many of twelve columns it takes. */
export type Panel = v.InferOutput<typeof panel>
export type PanelKind = Panel['kind']
export type PanelOf<K extends PanelKind> = Extract<Panel, { kind: K }>

/** A page of figures as it is kept; panels stand in reading order and wrap like words. */
export type FigureDocument = v.InferOutput<typeof document>

/** Checks what came from a file or a page; throws an input error that names the first wrong field. */
export function parseDocument(content: unknown, where: string): FigureDocument {
  const { success, output, issues } = v.safeParse(document, content)
  if (!success) {
    const [issue] = issues
    throw new MindEyeError({
      kind: 'input',
      where,
      field: v.getDotPath(issue) ?? undefined,
      expected: wording(issue),
      found: issue.received,
      fix: 'A page is { version: 1, title, preset, width, panels: [{ id, kind, source, columns }] }.',
    })
  }
  const ids = output.panels.map(({ id }) => id)
  const twice = ids.find((id, i) => ids.indexOf(id) < i)
  if (twice !== undefined)
    throw new MindEyeError({
      kind: 'input',
      where,
      field: 'panels',
      expected: 'panels of different ids',
      found: `'${twice}' twice`,
    })
  pageWidth(output)
  return output
}

/** Width of a page in mm; throws an input error for a width that its preset does not have. */
export function pageWidth({ preset, width }: Pick<FigureDocument, 'preset' | 'width'>): number {
  const { widths, title }: JournalPreset = journalPreset(preset)
  const found = widths.find(({ name }) => name === width)
  if (found) return found.mm
  throw new MindEyeError({
    kind: 'input',
    where: 'width',
    expected: `for ${title} one of ${widths.map(({ name }) => name).join(', ')}`,
    found: `'${width}'`,
  })
}
