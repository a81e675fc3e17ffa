import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { MindEyeError } from '../../base/errors.ts'
import { limitsFor } from '../../figures/cortex/colours.ts'
import type { PaintedMesh } from '../../figures/cortex/paint.ts'
import type { PanelOf } from '../../figures/document.ts'
import type { CortexData } from '../../figures/panels/cortex.ts'
import { readManifest, readSubjectArray } from '../../subjects/subject.ts'
import type { SubjectManifest } from '../../subjects/subject.ts'
import { sides } from '../../subjects/surfaces/hemisphere.ts'
import { storedSurfaces, surfaceFiles, surfacesFolder } from '../../subjects/surfaces/stored.ts'
import { ceilingMap, offerMaps } from '../../subjects/voxelMaps.ts'
import type { VoxelValues } from '../../subjects/voxelMaps.ts'
import { foldFiles } from '../../training/foldFiles.ts'
import type { Workspace } from '../../workspace/index.ts'
import { finishedRun } from '../finishedRun.ts'
import { runProvenance } from './gather.ts'
import type { Gathered, GatherPlace } from './gather.ts'

type Source = PanelOf<'cortex'>['source']

/** As many areas as a vertex' bits tell apart; more borders would hide what they surround. */
const MOST_AREAS = 12

/** When a subject's surfaces came; throws for an unknown subject. */
export const surfacesChanged = (workspace: Workspace, subject: string): number | undefined =>
  statSync(join(surfacesFolder(workspace.subjects.get(subject).folder), surfaceFiles.facts), { throwIfNoEntry: false })
    ?.mtimeMs

/** A map of the voxels on the inflated cortex, else on the shape that there is. */
export async function gatherCortex(place: GatherPlace, source: Source): Promise<Gathered> {
  const { workspace } = place
  const { folder } = workspace.subjects.get(source.subject)
  const manifest = readManifest(folder)
  const facts = storedSurfaces(folder)
  if (!facts)
    throw new MindEyeError({
      kind: 'state',
      where: source.subject,
      expected: 'surfaces of the cortex',
      found: 'none',
      fix: 'Attach them with `mindeye surfaces`.',
    })
  const { title, unit, signed } = offerMaps(manifest).find(({ id }) => id === source.map) ?? {
    ...{ title: 'Noise ceiling', unit: '', signed: false },
  }
  const { values, n, detail } = await mapOf(place, source, folder, manifest)
  const areas = (source.areas ?? manifest.rois.map(({ name }) => name)).slice(0, MOST_AREAS)
  const hemispheres: CortexData['hemispheres'] = {}
  for (const side of sides) {
    const mesh = facts.hemispheres[side]
    if (!mesh) continue
    const read = (name: string) => readSubjectArray(surfacesFolder(folder), name)?.data
    const shape = (['inflated', 'pial', 'white'] as const).find((name) => mesh.shapes.includes(name))
    const voxels = read(surfaceFiles.array(side, 'voxel')) as Int32Array | undefined
    if (!shape || !voxels) continue
    hemispheres[side] = {
      points: read(surfaceFiles.array(side, shape)) as Float32Array,
      faces: read(surfaceFiles.array(side, 'faces')) as Uint32Array,
      curvature: read(surfaceFiles.array(side, 'curvature')) as Float32Array | undefined,
      values: Float32Array.from(voxels, (voxel) => (voxel < 0 ? NaN : values[voxel])),
      areas: areaBits(folder, manifest, areas, voxels),
    } satisfies PaintedMesh
  }
  const run = source.run === undefined ? undefined : finishedRun(workspace, source.run)
  const limits = source.limits ?? limitsFor(values, signed)
  const subject: Gathered['provenance'] = {
    subject: source.subject,
    inputs: manifest.sources.map(({ path, fingerprint }) => ({ name: basename(path), fingerprint })),
  }
  return {
    data: { kind: 'cortex', title, unit, map: signed ? 'RdBu_r' : 'inferno', limits, areas, n, hemispheres },
    provenance: { ...(run ? runProvenance(workspace, run) : subject), colourLimits: limits },
    caption:
      `${title} on the ${facts.source === 'generated' ? 'generated cortex of a simulated subject' : 'cortex'}, ${detail}; ` +
      `every point has the colour of its nearest vertex, unshaded. Grey: no voxel.${areas.length ? ` Borders: ${areas.join(', ')}.` : ''}`,
  }
}

async function mapOf(
  { ctx, workspace }: GatherPlace,
  source: Source,
  folder: string,
  manifest: SubjectManifest,
): Promise<VoxelValues> {
  if (source.map === 'noise-ceiling') return ceilingMap(folder, manifest)
  if (source.run === undefined)
    throw new MindEyeError({ kind: 'input', where: 'run', expected: 'the run whose weights to show', found: 'none' })
  const run = finishedRun(workspace, source.run)
  const folds = join(workspace.runs.folderOf(run.id), 'folds')
  const paths = readdirSync(folds)
    .filter((name) => /^\d+$/.test(name))
    .map((fold) => foldFiles(join(folds, fold)).model)
    .filter((path) => existsSync(path))
  const values = await ctx.reader().call('weightNorms', { paths, voxels: manifest.voxelCount })
  return { values, n: paths.length, detail: `first layer of ${run.id}, mean of ${paths.length} fold(s)` }
}

/** A bit for every area that a vertex' voxel belongs to. */
function areaBits(folder: string, { rois, voxelCount }: SubjectManifest, areas: readonly string[], voxels: Int32Array) {
  const masks = readSubjectArray(folder, 'rois.npy')?.data as Uint8Array | undefined
  if (!masks) return undefined
  const rows = areas.map((name) => rois.findIndex((roi) => roi.name === name))
  if (rows.includes(-1))
    throw new MindEyeError({
      kind: 'input',
      where: 'areas',
      expected: `some of ${rois.map(({ name }) => name).join(', ')}`,
      found: `'${areas[rows.indexOf(-1)]}'`,
    })
  const bits = new Uint32Array(voxelCount)
  rows.forEach((row, bit) => {
    for (let voxel = 0; voxel < voxelCount; voxel++) if (masks[row * voxelCount + voxel]) bits[voxel] |= 1 << bit
  })
  return Uint32Array.from(voxels, (voxel) => (voxel < 0 ? 0 : bits[voxel]))
}
