import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContext } from '../../src-main/actions/context.ts'
import { demoSubjectAction } from '../../src-main/actions/demoSubject.ts'
import { exportAction } from '../../src-main/actions/export.ts'
import { buildPage, frozenPanel, PanelCache } from '../../src-main/actions/figures/pages.ts'
import { templatePage } from '../../src-main/actions/figures/templates.ts'
import { importAction } from '../../src-main/actions/import.ts'
import { trainAction } from '../../src-main/actions/train.ts'
import { validateInput } from '../../src-main/actions/validate.ts'
import type { FigureProvenance } from '../../src-main/figures/provenance.ts'
import { openSubject, readSubjectArray } from '../../src-main/subjects/subject.ts'
import type { Workspace } from '../../src-main/workspace/index.ts'
import { writeReconstructions } from '../support/reconstructions.ts'
import { figures, writeSmallStudy } from '../subjects/support.ts'

const base = mkdtempSync(join(tmpdir(), 'mindeye-export-'))
const place = { workspace: join(base, 'workspace') }
const ctx = createContext(() => {})
const quiet = { signal: new AbortController().signal, progress: () => {} }

let run: string
let workspace: Workspace
beforeAll(async () => {
  const shown = (count: number) => Array.from({ length: count }, (_, i) => i % 8)
  const study = { train: shown(24), test: shown(8), V: 24, side: 16, figures: figures(8, 16) }
  const { path } = writeSmallStudy(base, study)
  await importAction.run(ctx, await validateInput(importAction, { ...place, paths: [path], as: 's' }), quiet)
  const set = ['epochs=4', 'hidden=24', 'projectorHidden=32', 'encoderSteps=20', 'encoderPixels=8', 'pictures=false']
  const training = { ...place, subject: 's', preset: 'small-study', split: 'shipped', set }
  run = (await trainAction.run(ctx, await validateInput(trainAction, training), quiet)).run
  workspace = await ctx.workspace(place.workspace)
  const subject = await openSubject(workspace.subjects.get('s').folder)
  await writeReconstructions(workspace.runs.folderOf(run), subject, { low: 0.5, combined: 0.8 })
  subject.close()
}, 240_000)
afterAll(async () => {
  await ctx.close()
  rmSync(base, { recursive: true, force: true })
})

const write = async (input: object) =>
  exportAction.run(ctx, await validateInput(exportAction, { ...place, run, ...input }), quiet)

describe('export', () => {
  it('writes the whole story of a run, its source data and where it comes from', { timeout: 240_000 }, async () => {
    const out = join(base, 'overview.tiff')
    const { widthMm, heightMm, sidecar, data, captions, preflight } = await write({ figure: 'overview', out })
    expect(widthMm).toBe(183)
    expect(preflight.filter(({ state }) => state === 'problem')).toEqual([])
    const { width, height, density } = await sharp(out).metadata()
    expect(density).toBe(450)
    expect([width, height].map((pixels) => (pixels / 450) * 25.4)).toEqual([
      expect.closeTo(183, 1),
      expect.closeTo(heightMm, 1),
    ])
    expect(captions.map(({ letter }) => letter).join('')).toBe('abcde')
    const { panels, ...provenance } = JSON.parse(readFileSync(sidecar, 'utf8')) as FigureProvenance
    expect(provenance).toMatchObject({ journal: 'nature', title: 'Decoding overview, s' })
    expect(panels.map(({ kind }) => kind)).toEqual(['reconstruction', 'retrieval', 'scores', 'ranks', 'training'])
    for (const panel of panels)
      expect(panel).toMatchObject({
        ...{ run, subject: 's', split: 'shipped', seed: 42 },
        inputs: [
          { name: expect.stringMatching(/\.mat$/) as string, fingerprint: expect.stringMatching(/^sha256:/) as string },
        ],
      })
    expect(data).toHaveLength(5)
    const scores = readFileSync(join(base, 'overview.scores.csv'), 'utf8').split('\r\n')
    expect(scores[0]).toBe('group,measure,mean,ci95_low,ci95_high,n,chance,p')
    expect(scores.filter((row) => row.includes('PixCorr'))).toHaveLength(1)
    const ranks = readFileSync(join(base, 'overview.ranks.csv'), 'utf8').trim().split('\r\n').slice(1).map(Number)
    expect(ranks).toHaveLength(8)
  })

  it('writes a page of one’s own at another journal’s measures', async () => {
    const figure = join(base, 'mine.json')
    const panels = [{ id: 'r', kind: 'retrieval', source: { run, trials: [25, 24], top: 2 }, columns: 12 }]
    writeFileSync(figure, JSON.stringify({ version: 1, title: 'Mine', preset: 'plos', width: 'page', panels }))
    const out = join(base, 'mine.svg')
    expect(await write({ figure, out })).toMatchObject({ widthMm: 190.5 })
    const svg = readFileSync(out, 'utf8')
    expect([...svg.matchAll(/>(trial \d+)</g)].map(([, trial]) => trial)).toEqual(['trial 25', 'trial 24'])
    expect(await write({ figure, out, preset: 'cell', width: 'middle' })).toMatchObject({ widthMm: 114 })
  })

  it('compares two runs of one split measure by measure', { timeout: 120_000 }, async () => {
    const out = join(base, 'methods.svg')
    await expect(write({ figure: 'methods', out })).rejects.toThrow('--preset ridge')
    const options = ['width=8', 'encoderSteps=20', 'encoderPixels=8']
    const ridge = { ...place, subject: 's', preset: 'ridge', split: 'shipped', set: options }
    const other = (await trainAction.run(ctx, await validateInput(trainAction, ridge), quiet)).run
    const { data, preflight } = await write({ figure: 'methods', out })
    const rows = readFileSync(data[0], 'utf8').trim().split('\r\n').slice(1)
    const labels = rows.map((row) => /"?(Top-1[^·]*) ·.*?"?,([\w-]+),/.exec(row)?.slice(1))
    expect(labels).toEqual([
      ['Top-1, image from brain', 'small-study'],
      ['Top-1, image from brain', 'ridge'],
      ['Top-1, brain from image', 'small-study'],
      ['Top-1, brain from image', 'ridge'],
    ])
    expect(preflight.filter(({ state }) => state === 'problem').map(({ check }) => check)).toEqual(['file']) // no SVG for Nature
    expect(readFileSync(join(base, 'methods.provenance.json'), 'utf8')).toContain(other)
  })

  it('paints a cortex with the numbers of its voxels', { timeout: 120_000 }, async () => {
    const figure = join(base, 'cortex.json')
    const source = { subject: 'simulated-24', map: 'noise-ceiling', areas: ['PPA'] }
    const panels = [{ id: 'ceiling', kind: 'cortex', source, columns: 12 }]
    writeFileSync(figure, JSON.stringify({ version: 1, title: 'Cortex', preset: 'nature', width: 'double', panels }))
    await demoSubjectAction.run(ctx, await validateInput(demoSubjectAction, { ...place, images: 24 }), quiet)
    const { data, sidecar } = await write({ figure, out: join(base, 'cortex.tiff') })
    const { folder } = workspace.subjects.get('simulated-24')
    const values = readSubjectArray(folder, 'noiseCeiling.npy')!.data as Float32Array
    const voxels = readSubjectArray(join(folder, 'surfaces'), 'left/voxel.npy')!.data as Int32Array
    const rows = readFileSync(data[0], 'utf8').trim().split('\r\n').slice(1)
    const left = rows.map((row) => row.split(',')).filter(([side]) => side === 'left')
    expect(left.length).toBeGreaterThan(100)
    for (const [, vertex, value] of left) expect(Number(value)).toBe(values[voxels[Number(vertex)]])
    const [{ colourLimits, subject }] = (JSON.parse(readFileSync(sidecar, 'utf8')) as FigureProvenance).panels
    expect(subject).toBe('simulated-24')
    expect(colourLimits![1]).toBeGreaterThan(0)
    source.areas = ['nowhere']
    writeFileSync(figure, JSON.stringify({ version: 1, title: 'Cortex', preset: 'nature', width: 'double', panels }))
    await expect(write({ figure, out: join(base, 'none.tiff') })).rejects.toThrow('nowhere')
    await expect(write({ figure: 'cortex', out: join(base, 'none.tiff') })).rejects.toThrow('surfaces of the cortex')
  })

  it('says what it lacks, and writes nothing', async () => {
    const out = join(base, 'none.pdf')
    await expect(write({ figure: 'insights', out })).rejects.toThrow('a finished experiment')
    await expect(write({ figure: 'poster', out })).rejects.toThrow('overview, retrieval')
    await expect(write({ figure: 'metrics', out: join(base, 'none.jpg') })).rejects.toThrow('.pdf, .svg')
    await expect(write({ figure: 'metrics', preset: 'ieee', width: 'middle', out })).rejects.toThrow('single, double')
    expect(existsSync(out)).toBe(false)
  })
})

describe('a frozen panel', () => {
  it('stays as it was, and is stale once its run has more to show', async () => {
    const [from, cache] = [{ ctx, workspace, options: quiet }, new PanelCache()]
    const page = templatePage(workspace, 'reconstruction', { run, preset: 'nature' })
    const frozen = { ...page, panels: [await frozenPanel(from, cache, page.panels[0])] }
    const before = await buildPage(from, cache, frozen)
    expect(before.panels[0].stale).toBe(false)

    const subject = await openSubject(workspace.subjects.get('s').folder)
    await writeReconstructions(workspace.runs.folderOf(run), subject, { high: 1 }, { trials: 2 })
    subject.close()
    const after = await buildPage(from, cache, JSON.parse(JSON.stringify(frozen)) as typeof frozen)
    expect(after.panels[0].stale).toBe(true)
    expect(after.scene).toEqual(before.scene)
  })
})
