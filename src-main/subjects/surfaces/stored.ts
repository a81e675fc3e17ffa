import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { movePoints } from '../../base/affine.ts'
import { formatError } from '../../base/errors.ts'
import { disk, writeFileAtomic } from '../../base/files.ts'
import type { NdArray, TypedArray } from '../../formats/array.ts'
import type { NamedLabel } from '../../formats/freesurferLabels.ts'
import { encodeNpy } from '../../formats/npy.ts'
import { sides, vertexCount, type HemisphereMesh, type ShapeName, type Side } from './hemisphere.ts'
import type { ReadSurfaces } from './read.ts'
import { shapesOf } from './shape.ts'
import { mapVoxels, type VoxelPlaces } from './voxelMap.ts'

export interface StoredHemisphere {
  vertices: number
  faces: number
  shapes: ShapeName[]
  curvature: boolean
  parcellations: { name: string; labels: NamedLabel[] }[]
}

/** What `surfaces/surfaces.json` of a subject says. */
export interface StoredSurfaces {
  version: 1
  source: ReadSurfaces['source']
  hemispheres: Record<Side, StoredHemisphere | null>
  /** How voxels and vertices were matched, and how many voxels have a vertex; absent where no place of a voxel is known. */
  match?: { by: 'affine' | 'positions' | 'transform'; voxels: number; of: number }
}

/** The folder of a subject's surfaces; the arrays in it are .npy files. */
export const surfacesFolder = (subjectFolder: string): string => join(subjectFolder, 'surfaces')

/** Files below the surfaces' folder. */
export const surfaceFiles = {
  facts: 'surfaces.json',
  /** (V, 2) int32: hemisphere and vertex of each voxel. */
  vertices: 'voxelVertex.npy',
  array: (side: Side, name: ShapeName | 'faces' | 'curvature' | 'voxel') => join(side, `${name}.npy`),
  /** Parcellations are numbered: their names come from other people's files. */
  parcellation: (side: Side, index: number) => join(side, `parcellation-${index}.npy`),
}

/** What a subject has of surfaces; undefined for none. */
export function storedSurfaces(subjectFolder: string): StoredSurfaces | undefined {
  const path = join(surfacesFolder(subjectFolder), surfaceFiles.facts)
  if (!existsSync(path)) return undefined
  const facts = JSON.parse(readFileSync(path, 'utf8')) as StoredSurfaces
  if (facts.version !== 1)
    throw formatError(path, 'version', '1', String(facts.version), 'Attach the surfaces again with `mindeye surfaces`.')
  return facts
}

/**
 * Writes surfaces as plain arrays into `folder` (new or empty), matched with the subject's voxels where these are known;
 * `surfaces.json` comes last. Nothing of it refers to the files that it was read from.
 */
export function writeSurfaces(
  folder: string,
  { source, meshes, layersAreIndices }: ReadSurfaces,
  places?: VoxelPlaces,
): StoredSurfaces {
  const put = (name: string, shape: number[], data: TypedArray) =>
    writeFileAtomic(join(folder, name), encodeNpy({ dtype: dtypeOf(data), shape, data }))
  const facts: StoredSurfaces = { version: 1, source, hemispheres: { left: null, right: null } }
  disk.mkdir(folder, { recursive: true })
  for (const side of sides) {
    const mesh = meshes[side]
    if (!mesh) continue
    disk.mkdir(join(folder, side), { recursive: true })
    const [N, F] = [vertexCount(mesh), mesh.faces.length / 3]
    put(surfaceFiles.array(side, 'faces'), [F, 3], mesh.faces)
    for (const name of shapesOf(mesh)) put(surfaceFiles.array(side, name), [N, 3], mesh.shapes[name]!)
    if (mesh.curvature) put(surfaceFiles.array(side, 'curvature'), [N], mesh.curvature)
    mesh.parcellations.forEach(({ vertices }, i) => put(surfaceFiles.parcellation(side, i), [N], vertices))
    facts.hemispheres[side] = {
      vertices: N,
      faces: F,
      shapes: shapesOf(mesh),
      curvature: mesh.curvature !== undefined,
      parcellations: mesh.parcellations.map(({ name, labels }) => ({ name, labels })),
    }
  }
  if (places) {
    const inVolume = layersAreIndices && places.volume ? places.volume.affine : undefined
    const map = mapVoxels(inVolume ? moved(meshes, inVolume) : meshes, places)
    for (const side of sides) {
      const voxels = map.voxels[side]
      if (voxels) put(surfaceFiles.array(side, 'voxel'), [voxels.length], voxels)
    }
    const V = map.vertices.length / 2
    put(surfaceFiles.vertices, [V, 2], map.vertices)
    let matched = 0
    for (let v = 0; v < V; v++) if (map.vertices[2 * v] >= 0) matched++
    facts.match = { by: inVolume ? 'transform' : places.volume ? 'affine' : 'positions', voxels: matched, of: V }
  }
  writeFileAtomic(join(folder, surfaceFiles.facts), `${JSON.stringify(facts, null, 1)}\n`)
  return facts
}

/** The meshes with their layers in millimetres of the volume. */
function moved(meshes: ReadSurfaces['meshes'], affine: readonly number[]): ReadSurfaces['meshes'] {
  const out: Partial<Record<Side, HemisphereMesh>> = {}
  for (const side of sides) {
    const mesh = meshes[side]
    if (!mesh) continue
    const layers = mesh.layers.map((layer) => layer.slice())
    layers.forEach((layer) => movePoints(affine, layer))
    out[side] = { ...mesh, layers }
  }
  return out
}

const dtypeOf = (data: TypedArray): NdArray['dtype'] =>
  data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'uint32'
