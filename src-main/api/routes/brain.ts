import { Hono } from 'hono'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { MindEyeError } from '../../base/errors.ts'
import { readSubjectArray, type SubjectManifest } from '../../subjects/subject.ts'
import { shapeNames, sides, type Side } from '../../subjects/surfaces/hemisphere.ts'
import { storedSurfaces, surfaceFiles, surfacesFolder, type StoredSurfaces } from '../../subjects/surfaces/stored.ts'
import { voxelGrid } from '../../subjects/surfaces/voxelMap.ts'
import { roiColour } from '../../subjects/roiColours.ts'
import { offerMaps } from '../../subjects/voxelMaps.ts'
import { bodyOf } from '../body.ts'
import { bytesOf, plainArray } from '../arrays.ts'
import { Overlays } from '../overlays.ts'
import type { Services } from '../services.ts'
import { tagged } from '../tagged.ts'
import { VoxelMapMaker } from '../voxelMapMaker.ts'

type Geometry = Omit<StoredSurfaces['hemispheres']['left'] & object, 'parcellations'> & { parcellations: string[] }

/** What there is of a subject's brain. */
export interface BrainGeometry {
  source: StoredSurfaces['source'] | 'none'
  hemispheres: Record<Side, Geometry | null>
  voxels: number
  /** Where the voxels are is known. */
  positions: boolean
  volume?: { shape: number[]; affine: number[] }
  rois: { name: string; voxels: number; colour: [number, number, number] }[]
  /** How many voxels the surfaces pass through, and how that was found. */
  match?: StoredSurfaces['match']
  /** Changes with the subject and its surfaces: `?v=` of the arrays. */
  version: string
}

const arrayNames = ['faces', 'curvature', 'voxel', ...shapeNames] as const
const overlayBody = v.object({
  handle: v.string(),
  hemisphere: v.optional(v.picklist(sides)),
  frame: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
})

/** Surfaces, voxels and maps of the subjects' brains, as little-endian arrays. */
export const brainRoutes = (services: Services) => {
  const { workspace, subjects } = services
  const maps = new VoxelMapMaker(services)
  const overlays = new Overlays(services)
  const bytes = 'application/octet-stream'

  /** A subject of the workspace; throws for an unknown id. */
  const at = (id: string) => {
    const { folder, manifest } = workspace.subjects.get(id)
    return { folder, manifest: manifest as unknown as SubjectManifest, version: versionOf(id, folder) }
  }
  const versionOf = (id: string, folder: string): string => {
    const surfaces = statSync(join(surfacesFolder(folder), surfaceFiles.facts), { throwIfNoEntry: false })
    return `${subjects.versionOf(id)}-${Math.round(surfaces?.mtimeMs ?? 0).toString(36)}`
  }
  const surfacesOf = (id: string) => {
    const { folder, version } = at(id)
    const facts = storedSurfaces(folder)
    if (!facts)
      throw missing(id, 'surfaces of the cortex', 'Attach them with `mindeye surfaces`, or drop a FreeSurfer folder.')
    return { folder, version, facts }
  }
  const hemisphereOf = (id: string, name: string) => {
    const { facts, ...rest } = surfacesOf(id)
    const side = sides.find((it) => it === name)
    const mesh = side && facts.hemispheres[side]
    if (!mesh) throw missing(id, `a ${side ?? 'left or right'} hemisphere`, undefined, `'${name}'`)
    return { ...rest, side, mesh }
  }

  return new Hono()
    .get('/:subject/geometry', (c) => {
      const id = c.req.param('subject')
      const { folder, manifest, version } = at(id)
      const facts = storedSurfaces(folder)
      const colours = coloursOf(facts)
      const geometry: BrainGeometry = {
        source: facts?.source ?? 'none',
        hemispheres: { left: null, right: null },
        voxels: manifest.voxelCount,
        positions: statSync(join(folder, 'positions.npy'), { throwIfNoEntry: false }) !== undefined,
        volume: manifest.volume,
        rois: manifest.rois.map((roi, i) => ({ ...roi, colour: colours.get(roi.name) ?? roiColour(i) })),
        match: facts?.match,
        version,
      }
      for (const side of sides) {
        const mesh = facts?.hemispheres[side]
        if (mesh) geometry.hemispheres[side] = { ...mesh, parcellations: mesh.parcellations.map(({ name }) => name) }
      }
      return c.json(geometry, 200, { 'Cache-Control': 'no-store' })
    })
    .get('/:subject/positions', (c) => {
      const id = c.req.param('subject')
      const { folder, version } = at(id)
      return tagged(c, bytes, `positions-${id}-${version}`, () =>
        arrayOf(folder, 'positions.npy', id, 'places of the voxels'),
      )
    })
    .get('/:subject/ijk', (c) => {
      const id = c.req.param('subject')
      const { folder, version, manifest } = at(id)
      return tagged(c, bytes, `ijk-${id}-${version}`, async () => {
        const positions = readSubjectArray(folder, 'positions.npy')
        if (!positions || !manifest.volume) throw missing(id, 'a volume that the voxels are of')
        return bytesOf(voxelGrid(positions.data as Float32Array, manifest.volume))
      })
    })
    .get('/:subject/rois', (c) => {
      const id = c.req.param('subject')
      const { folder, version } = at(id)
      return tagged(c, bytes, `rois-${id}-${version}`, () => arrayOf(folder, 'rois.npy', id, 'ROIs'))
    })
    .get('/:subject/voxel-vertex', (c) => {
      const id = c.req.param('subject')
      const { folder, version } = surfacesOf(id)
      return tagged(c, bytes, `voxel-vertex-${id}-${version}`, () =>
        arrayOf(surfacesFolder(folder), surfaceFiles.vertices, id, 'places of the voxels'),
      )
    })
    .get('/:subject/maps', (c) =>
      c.json(offerMaps(at(c.req.param('subject')).manifest), 200, { 'Cache-Control': 'no-store' }),
    )
    .get('/:subject/map/:id', (c) => maps.answer(c, c.req.param('subject'), c.req.param('id')))
    .post('/:subject/overlay', async (c) => {
      const id = c.req.param('subject')
      const { handle, ...choice } = await bodyOf(c, overlayBody)
      const path = services.picked.resolve(handle)
      return c.json(await overlays.add(id, path, choice, c.req.raw.signal))
    })
    .get('/:subject/overlay/:id/:part', (c) => {
      const { subject, id, part } = c.req.param()
      return new Response(bytesOf(overlays.get(subject, id, part)), {
        headers: { 'Content-Type': bytes, 'Cache-Control': 'no-store' },
      })
    })
    .get('/:subject/:hemi/parcellation/:name', (c) => {
      const { subject, hemi, name } = c.req.param()
      const { mesh } = hemisphereOf(subject, hemi)
      const { labels } = mesh.parcellations[parcellationOf(subject, mesh, name)]
      return c.json({ labels }, 200, { 'Cache-Control': 'no-store' })
    })
    .get('/:subject/:hemi/parcellation/:name/vertices', (c) => {
      const { subject, hemi, name } = c.req.param()
      const { folder, version, side, mesh } = hemisphereOf(subject, hemi)
      const index = parcellationOf(subject, mesh, name)
      return tagged(c, bytes, `${subject}-${version}-${side}-parcellation-${index}`, () =>
        plainArray(join(surfacesFolder(folder), surfaceFiles.parcellation(side, index))),
      )
    })
    .get('/:subject/:hemi/:array', (c) => {
      const { subject, hemi, array } = c.req.param()
      const { folder, version, side, mesh } = hemisphereOf(subject, hemi)
      const name = arrayNames.find((it) => it === array)
      const there = arrayNames.filter((it) => {
        if (it === 'faces' || it === 'voxel') return true
        return it === 'curvature' ? mesh.curvature : mesh.shapes.includes(it)
      })
      if (!name || !there.includes(name)) throw missing(subject, `one of ${there.join(', ')}`, undefined, `'${array}'`)
      return tagged(c, bytes, `${subject}-${version}-${side}-${name}`, () => {
        const path = join(surfacesFolder(folder), surfaceFiles.array(side, name))
        const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined
        // Where no place of a voxel is known, no vertex shows one.
        return isThere ? plainArray(path) : Promise.resolve(bytesOf(new Int32Array(mesh.vertices).fill(-1)))
      })
    })

  function parcellationOf(id: string, mesh: NonNullable<StoredSurfaces['hemispheres']['left']>, name: string): number {
    const index = mesh.parcellations.findIndex((it) => it.name === name)
    if (index < 0)
      throw missing(
        id,
        mesh.parcellations.length ? `one of ${mesh.parcellations.map((it) => it.name).join(', ')}` : 'parcellations',
        undefined,
        `'${name}'`,
      )
    return index
  }
}

function arrayOf(folder: string, name: string, id: string, what: string): Promise<Uint8Array<ArrayBuffer>> {
  const path = join(folder, name)
  if (!statSync(path, { throwIfNoEntry: false })) throw missing(id, what)
  return plainArray(path)
}

/** Colours that label files give to names that are ROIs, too. */
function coloursOf(facts: StoredSurfaces | undefined): Map<string, [number, number, number]> {
  const colours = new Map<string, [number, number, number]>()
  for (const side of sides)
    for (const { labels } of facts?.hemispheres[side]?.parcellations ?? [])
      for (const { name, colour } of labels) if (!colours.has(name)) colours.set(name, colour)
  return colours
}

function missing(id: string, expected: string, fix?: string, found = 'none'): MindEyeError {
  return new MindEyeError({ kind: 'state', where: id, expected, found, fix })
}
