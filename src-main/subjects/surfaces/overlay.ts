import { basename } from 'node:path'
import { invertAffine } from '../../base/affine.ts'
import { MindEyeError, formatError } from '../../base/errors.ts'
import type { NdArray } from '../../formats/array.ts'
import { toFloat32 } from '../../formats/elements.ts'
import { readFreesurferCurvature } from '../../formats/freesurferCurvature.ts'
import { readGifti } from '../../formats/gifti.ts'
import { openMgh } from '../../formats/mgh.ts'
import { openNifti } from '../../formats/nifti.ts'
import { openNpy } from '../../formats/npy.ts'
import { recogniseFormat } from '../../formats/recognise.ts'
import { openFile, type ByteSource } from '../../formats/source.ts'
import { readManifest, readSubjectArray } from '../subject.ts'
import { sideOf } from './find.ts'
import { sides, type Side } from './hemisphere.ts'
import { storedSurfaces, surfaceFiles, surfacesFolder, type StoredSurfaces } from './stored.ts'

export interface OverlayJob {
  path: string
  subjectFolder: string
  /** For maps of a surface whose name does not tell. */
  hemisphere?: Side
  /** Which volume, map or frame of a file that holds several; from 0. */
  frame: number
}

/** A map from a file, on the voxels of a subject and on the vertices of its surfaces. */
export interface Overlay {
  title: string
  kind: 'voxel' | 'vertex'
  /** How many maps the file holds. */
  frames: number
  /** (V) */
  voxels?: Float32Array
  /** (N) each */
  vertices: Partial<Record<Side, Float32Array>>
  detail: string
}

/**
 * Reads a map from a NIfTI or MGH volume, which is sampled at the nearest of its own voxels, or from a GIFTI, MGH, curvature or .npy file
 * with one number per vertex or voxel. Values outside are NaN. Throws where nothing of it falls on this subject.
 */
export function readOverlay({ path, subjectFolder, hemisphere, frame }: OverlayJob): Overlay {
  const source = openFile(path)
  try {
    const read = readMap(source, frame)
    const title = titleOf(basename(path))
    const found =
      read.kind === 'volume'
        ? onVolume(read, subjectFolder)
        : onList(read.values, subjectFolder, hemisphere ?? read.side ?? sideOf(basename(path))?.side, source.name)
    const values = [found.voxels, ...Object.values(found.vertices)].filter((it) => it !== undefined)
    if (!values.some((list) => list.some(Number.isFinite)))
      throw formatError(source.name, 'values', 'a map that falls on this subject', 'nothing but what lies outside')
    return { title, frames: read.frames, detail: read.detail, ...found }
  } finally {
    source.close()
  }
}

type ReadMap =
  | { kind: 'volume'; frames: number; detail: string; volume: NdArray; affine: readonly number[] }
  | { kind: 'list'; frames: number; detail: string; values: Float32Array; side?: Side }

function readMap(source: ByteSource, frame: number): ReadMap {
  const checkFrame = (frames: number): string => {
    if (frame >= frames) throw formatError(source.name, 'map', `a number below ${frames}`, `${frame}`)
    return frames > 1 ? `map ${frame + 1} of ${frames}` : ''
  }
  switch (recogniseFormat(source)) {
    case 'nifti': {
      const file = openNifti(source)
      const detail = checkFrame(file.volumeCount)
      const { volumeCount: frames, affine } = file
      return { kind: 'volume', frames, detail, volume: file.readVolume(frame), affine: affine.flat() }
    }
    case 'mgh': {
      const file = openMgh(source)
      const detail = checkFrame(file.frames)
      const volume = file.readFrame(frame)
      // A map of a surface is a volume of one row.
      if (file.shape.filter((n) => n > 1).length < 2)
        return { kind: 'list', frames: file.frames, detail, values: toFloat32(volume) }
      if (!file.affine) throw formatError(source.name, 'goodRASFlag', 'a volume that knows where it lies', '0')
      return { kind: 'volume', frames: file.frames, detail, volume, affine: file.affine }
    }
    case 'gifti': {
      const { arrays, metadata } = readGifti(source)
      const maps = arrays.filter(({ intent }) => intent !== 'POINTSET' && intent !== 'TRIANGLE')
      if (!maps.length)
        throw formatError(
          source.name,
          'arrays',
          'one number per vertex',
          'a surface',
          'A surface is attached to a subject: drop it outside of the brain, or use `mindeye surfaces`.',
        )
      const detail = checkFrame(maps.length)
      const map = maps[frame]
      const name = map.metadata.get('Name')
      const said = map.metadata.get('AnatomicalStructurePrimary') ?? metadata.get('AnatomicalStructurePrimary')
      const side = said === 'CortexLeft' ? 'left' : said === 'CortexRight' ? 'right' : undefined
      return { kind: 'list', frames: maps.length, detail: name || detail, values: toFloat32(map), side }
    }
    case 'freesurfer-curvature':
      return { kind: 'list', frames: 1, detail: checkFrame(1), values: readFreesurferCurvature(source) }
    case 'npy': {
      const array = openNpy(source).arrays[0].read()
      return { kind: 'list', frames: 1, detail: checkFrame(1), values: toFloat32(array) }
    }
    default:
      throw formatError(
        source.name,
        'format',
        'NIfTI, MGH, GIFTI, FreeSurfer curvature or .npy',
        'another',
        'Save the map as NIfTI or GIFTI.',
      )
  }
}

/** Sampled where the subject's voxels are and, where surfaces and volume share one space, half way between white and pial. */
function onVolume(
  { volume, affine }: { volume: NdArray; affine: readonly number[] },
  subjectFolder: string,
): Pick<Overlay, 'kind' | 'voxels' | 'vertices'> {
  const back = invertAffine(affine)
  if (!back) throw formatError('the volume', 'affine', 'a matrix that can be inverted', affine.join(' '))
  const [nx, ny, nz] = volume.shape
  const data = toFloat32(volume)
  const sample = (x: number, y: number, z: number): number => {
    const [i, j, k] = [0, 4, 8].map((r) => Math.round(back[r] * x + back[r + 1] * y + back[r + 2] * z + back[r + 3]))
    return i >= 0 && i < nx && j >= 0 && j < ny && k >= 0 && k < nz ? data[(i * ny + j) * nz + k] : NaN
  }
  const positions = readSubjectArray(subjectFolder, 'positions.npy')?.data as Float32Array | undefined
  const voxels = positions && sampled(positions, positions, sample)
  const vertices: Overlay['vertices'] = {}
  const surfaces = storedSurfaces(subjectFolder)
  // Of surfaces matched by NSD's tables it is not known where they lie in the space of a volume.
  if (surfaces && surfaces.match?.by !== 'transform')
    for (const side of sides) {
      const read = (name: 'white' | 'pial') =>
        readSubjectArray(surfacesFolder(subjectFolder), surfaceFiles.array(side, name))?.data as
          Float32Array | undefined
      const [white, pial] = [read('white'), read('pial')]
      const [inner, outer] = [white ?? pial, pial ?? white]
      if (inner && outer) vertices[side] = sampled(inner, outer, sample)
    }
  if (!voxels && !Object.keys(vertices).length)
    throw new MindEyeError({
      kind: 'state',
      where: 'the subject',
      expected: 'voxels whose places are known, or surfaces',
      found: 'neither',
      fix: 'Attach surfaces with `mindeye surfaces`.',
    })
  return { kind: voxels ? 'voxel' : 'vertex', voxels, vertices }
}

/** Values half way between two sets of points (n, 3). */
function sampled(a: Float32Array, b: Float32Array, sample: (x: number, y: number, z: number) => number): Float32Array {
  const out = new Float32Array(a.length / 3)
  for (let p = 0; p < out.length; p++) {
    const [x, y, z] = [0, 1, 2].map((c) => (a[3 * p + c] + b[3 * p + c]) / 2)
    out[p] = sample(x, y, z)
  }
  return out
}

/** One number per vertex of a hemisphere, or per voxel. */
function onList(
  values: Float32Array,
  subjectFolder: string,
  asked: Side | undefined,
  where: string,
): Pick<Overlay, 'kind' | 'voxels' | 'vertices'> {
  const { voxelCount } = readManifest(subjectFolder)
  const surfaces = storedSurfaces(subjectFolder)
  const count = (side: Side) => surfaces?.hemispheres[side]?.vertices
  const fitting = sides.filter((side) => count(side) === values.length)
  const side = asked ?? (fitting.length === 1 ? fitting[0] : undefined)
  if (side && count(side) === values.length) return { kind: 'vertex', vertices: { [side]: values } }
  if (!asked && values.length === voxelCount) return { kind: 'voxel', voxels: values, vertices: {} }
  if (fitting.length === 2)
    throw new MindEyeError({
      kind: 'input',
      where,
      expected: 'a name that tells the hemisphere, as lh.NAME or NAME_hemi-L do',
      found: 'a map that fits both',
      fix: 'Say which hemisphere it is of.',
    })
  throw formatError(
    where,
    'values',
    sizes(surfaces, voxelCount),
    `${values.length}`,
    'The map is of another mesh or of other voxels.',
  )
}

function sizes(surfaces: StoredSurfaces | undefined, voxels: number): string {
  const meshes = sides.flatMap((side) => {
    const mesh = surfaces?.hemispheres[side]
    return mesh ? [`${mesh.vertices} for the vertices of the ${side} hemisphere`] : []
  })
  return [...meshes, `${voxels} for the voxels`].join(', or ')
}

const titleOf = (name: string): string => {
  const plain = name
    .replace(/\.(gz|nii|gii|mg[hz]|npy|(func|shape|label|time)(?=\.))/gi, '')
    .replace(/\.(func|shape|label|time)$/i, '')
  return sideOf(plain)?.rest ?? plain
}
