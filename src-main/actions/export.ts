import * as v from 'valibot'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, parse, resolve } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { writeFileAtomic } from '../base/files.ts'
import { parseDocument } from '../figures/document.ts'
import type { FigureDocument } from '../figures/document.ts'
import { journalPreset, presetIds } from '../figures/presets.ts'
import type { Format } from '../figures/presets.ts'
import type { Finding } from '../figures/preflight/index.ts'
import { POINTS_PER_MM, round } from '../figures/scene.ts'
import { writeFigure } from '../figures/write.ts'
import type { Workspace } from '../workspace/index.ts'
import { defineAction, pathField } from './action.ts'
import { buildPage, pagePreflight, PanelCache, provenanceOf, sourceData } from './figures/pages.ts'
import { templateNames, templatePage } from './figures/templates.ts'
import type { TemplateName } from './figures/templates.ts'

export interface Exported {
  file: string
  /** Of the printed page. */
  widthMm: number
  heightMm: number
  dpi: number
  /** Where it comes from, and the numbers behind each panel. */
  sidecar: string
  data: string[]
  /** By panel letter (empty on a page of one): what a reader must be told. */
  captions: { letter: string; caption: string }[]
  /** What the journal, or an honest reader, asks of it. */
  preflight: Finding[]
}

const extensions: Record<string, Format> = {
  '.pdf': 'pdf',
  '.svg': 'svg',
  '.png': 'png',
  '.tiff': 'tiff',
  '.tif': 'tiff',
}

export const exportAction = defineAction({
  name: 'export',
  summary: 'Write a figure at its final size in a journal’s measures, with its source data and where it comes from.',
  input: v.object({
    workspace: v.pipe(v.string(), v.description('the workspace folder')),
    figure: v.pipe(
      v.string(),
      v.description(`${templateNames.join(', ')}; or a page description of your own (.json)`),
      pathField('id'),
    ),
    run: v.optional(v.pipe(v.string(), v.description('id of the run that it shows'))),
    preset: v.optional(
      v.pipe(v.picklist(presetIds), v.description('whose measures: width, type, resolution (default: nature)')),
    ),
    width: v.optional(v.pipe(v.string(), v.description('which of the preset’s widths, by name (default: the widest)'))),
    dpi: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(36),
        v.maxValue(1200),
        v.description('pixels per inch (default: what the preset asks)'),
      ),
    ),
    out: v.pipe(v.string(), v.description(`the file to write: ${Object.keys(extensions).join(', ')}`), pathField()),
  }),
  async run(ctx, input, options): Promise<Exported> {
    const workspace = await ctx.workspace(input.workspace)
    const file = resolve(input.out)
    const format = formatOf(file)
    const page = pageOf(workspace, input)
    const built = await buildPage({ ctx, workspace, options }, new PanelCache(), page)
    const failed = built.panels.find((panel) => 'problem' in panel)
    if (failed && 'problem' in failed)
      throw new MindEyeError({
        kind: 'state',
        where: `panel ${failed.id}`,
        expected: 'data to show',
        found: failed.problem,
      })
    const dpi = input.dpi ?? journalPreset(page.preset).dpi.used
    const provenance = provenanceOf(page, built, new Date())
    const bytes = await writeFigure(built.scene, format, dpi, provenance)
    writeFileAtomic(file, bytes)

    const { name } = parse(file)
    const beside = (ending: string) => join(dirname(file), `${name}${ending}`)
    const sidecar = beside('.provenance.json')
    writeFileAtomic(sidecar, `${JSON.stringify(provenance, undefined, 2)}\n`)
    const data = sourceData(built).map(({ id, csv }) => {
      const path = beside(`.${id}.csv`)
      writeFileAtomic(path, csv)
      return path
    })
    const { width, height } = built.scene
    return {
      ...{ file, widthMm: round(width / POINTS_PER_MM), heightMm: round(height / POINTS_PER_MM), dpi, sidecar, data },
      captions: provenance.panels.map(({ letter, caption }) => ({ letter, caption })),
      preflight: pagePreflight(page, built, { format, dpi, bytes: bytes.length }),
    }
  },
  format: ({ file, widthMm, heightMm, dpi, sidecar, data, captions, preflight }) =>
    [
      `${file}: ${widthMm} x ${heightMm} mm, pictures at ${dpi} dpi`,
      `where it comes from: ${sidecar}`,
      `source data: ${data.join(', ')}`,
      '',
      ...captions.map(({ letter, caption }) => (letter ? `${letter}  ${caption}` : caption)),
      '',
      ...preflight
        .filter(({ state }) => state !== 'ok')
        .map(({ state, title, detail, panels }) => `${state}: ${[title, ...panels].join(', ')}: ${detail}`),
    ].join('\n'),
})

function formatOf(file: string): Format {
  const { ext } = parse(file)
  const format = extensions[ext.toLowerCase()]
  if (format) return format
  throw new MindEyeError({
    kind: 'input',
    where: 'out',
    expected: `a name that ends in ${Object.keys(extensions).join(', ')}`,
    found: ext || 'no ending',
  })
}

/** The page asked for: a template, or one described in a file. */
function pageOf(
  workspace: Workspace,
  { figure, run, preset, width }: Pick<v.InferOutput<typeof exportAction.input>, 'figure' | 'run' | 'preset' | 'width'>,
): FigureDocument {
  const template = templateNames.find((name): name is TemplateName => name === figure)
  if (template) return templatePage(workspace, template, { run, preset: preset ?? 'nature', width })
  const path = resolve(figure)
  if (!existsSync(path))
    throw new MindEyeError({
      kind: 'input',
      where: 'figure',
      expected: `${templateNames.join(', ')}, or a file that describes a page`,
      found: `'${figure}'`,
    })
  const page = parseDocument(parseJson(readFileSync(path, 'utf8'), path), path)
  return parseDocument({ ...page, preset: preset ?? page.preset, width: width ?? page.width }, path)
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new MindEyeError({ kind: 'format', where, expected: 'JSON', found: (error as Error).message })
  }
}
