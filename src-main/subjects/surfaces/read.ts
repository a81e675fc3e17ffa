import { movePoints } from '../../base/affine.ts'
import { formatError } from '../../base/errors.ts'
import { toFloat32 } from '../../formats/elements.ts'
import { readFreesurferCurvature } from '../../formats/freesurferCurvature.ts'
import { readAnnotation, readColours, readFreesurferLabel, type NamedLabel } from '../../formats/freesurferLabels.ts'
import { checkFaces, readFreesurferPatch, readFreesurferSurface } from '../../formats/freesurferSurface.ts'
import { readGifti, type GiftiFile } from '../../formats/gifti.ts'
import { openMgh } from '../../formats/mgh.ts'
import { openFile, type ByteSource } from '../../formats/source.ts'
import type { SourceFile } from '../inventory.ts'
import type { FoundSurfaces, HemisphereFiles } from './find.ts'
import {
  generatedComment,
  shapeNames,
  sides,
  vertexCount,
  type HemisphereMesh,
  type Parcellation,
  type ShapeName,
  type Side,
} from './hemisphere.ts'
import { curvatureFor, layersBetween, placeBeside } from './shape.ts'

export interface ReadSurfaces {
  source: 'freesurfer' | 'gifti' | 'generated'
  meshes: Partial<Record<Side, HemisphereMesh>>
  /** The layers come from NSD's own tables, and are indices into the volume rather than millimetres. */
  layersAreIndices: boolean
}

/** Reads the surfaces found. Throws a format error that names the file which is damaged or is of another mesh than the others. */
export function readSurfaces({ hemispheres }: FoundSurfaces): ReadSurfaces {
  const meshes: ReadSurfaces['meshes'] = {}
  let source: ReadSurfaces['source'] = 'gifti'
  const layersAreIndices = sides.every((side) => !hemispheres[side] || hemispheres[side].layers.length > 0)
  for (const side of sides) {
    const files = hemispheres[side]
    if (!files) continue
    const read = readHemisphere(files)
    if (!read) continue
    meshes[side] = read.mesh
    if (read.comment !== undefined) source = read.comment.startsWith(generatedComment) ? 'generated' : 'freesurfer'
    const { white, pial } = read.mesh.shapes
    read.mesh.layers = layersAreIndices
      ? files.layers.map((file) => readLayer(file, vertexCount(read.mesh)))
      : layersBetween(white, pial)
  }
  placeBeside(meshes)
  return { source, meshes, layersAreIndices }
}

interface Surface {
  points: Float32Array<ArrayBuffer>
  faces: Uint32Array<ArrayBuffer>
  comment?: string
}

function readHemisphere(files: HemisphereFiles): { mesh: HemisphereMesh; comment?: string } | undefined {
  const mesh: HemisphereMesh = { faces: new Uint32Array(0), shapes: {}, parcellations: [], layers: [] }
  let first: { name: string; comment?: string; vertices: number } | undefined
  const whole = shapeNames.filter((name) => files.shapes[name] && files.shapes[name].format !== 'freesurfer-patch')
  for (const name of whole) {
    const file = files.shapes[name]!
    const surface = opened(file, (source) => readSurface(source, file, name))
    if (!first) {
      first = { name: file.name, comment: surface.comment, vertices: surface.points.length / 3 }
      mesh.faces = surface.faces
    }
    checkVertices(file, surface.points.length / 3, first)
    // A flat map in GIFTI has fewer faces: where it was cut there are none.
    if (name === 'flat') cutAway(surface)
    mesh.shapes[name] = surface.points
  }
  if (!first) return undefined
  const { vertices } = first
  const patch = files.shapes.flat
  if (patch?.format === 'freesurfer-patch') mesh.shapes.flat = readFlat(patch, vertices)
  const folded = mesh.shapes.white ?? mesh.shapes.pial
  mesh.curvature = curvatureFor(mesh.faces, folded, files.curvature && readValues(files.curvature, first))
  for (const { name, file, colours } of files.parcellations) {
    const parcellation = readParcellation(name, file, colours, first)
    if (parcellation) mesh.parcellations.push(parcellation)
  }
  return { mesh, comment: first.comment }
}

function opened<T>(file: SourceFile, read: (source: ByteSource) => T): T {
  const source = openFile(file.path)
  try {
    return read(source)
  } finally {
    source.close()
  }
}

function checkVertices({ name }: SourceFile, found: number, first: { name: string; vertices: number }): void {
  if (found !== first.vertices)
    throw formatError(
      name,
      'vertices',
      `${first.vertices}, as ${first.name} has`,
      `${found}`,
      'Files of one hemisphere must be of one mesh; leave out those of another.',
    )
}

function readSurface(source: ByteSource, file: SourceFile, name: ShapeName): Surface {
  if (file.format === 'gifti') return giftiSurface(readGifti(source), file.name, name)
  const { vertices, faces, toScanner, comment } = readFreesurferSurface(source)
  const points = Float32Array.from(vertices)
  // An inflated surface is in no space of the scanner.
  if (toScanner && name !== 'inflated' && name !== 'flat') movePoints(toScanner, points)
  return { points, faces: Uint32Array.from(faces), comment }
}

function giftiSurface({ arrays, metadata }: GiftiFile, where: string, name: ShapeName): Surface {
  const points = arrays.find(({ intent }) => intent === 'POINTSET')
  const triangles = arrays.find(({ intent }) => intent === 'TRIANGLE')
  if (points?.shape[1] !== 3 || triangles?.shape[1] !== 3)
    throw formatError(
      where,
      'arrays',
      'points (N, 3) and triangles (F, 3)',
      arrays.map(({ intent, shape }) => `${intent} [${shape}]`).join(', ') || 'none',
    )
  const faces = Uint32Array.from(triangles.data as ArrayLike<number>)
  checkFaces(where, faces, points.shape[0])
  const moved = Float32Array.from(toFloat32(points))
  // Converted from FreeSurfer, a file may keep the volume's centre apart, as its surfaces do.
  const told = (axis: string) =>
    Number((points.metadata.get(`VolGeomC_${axis}`) ?? metadata.get(`VolGeomC_${axis}`)) || 0)
  const centre = ['R', 'A', 'S'].map(told)
  const isFolded = name === 'white' || name === 'pial'
  if (isFolded && points.dataSpace !== 'NIFTI_XFORM_SCANNER_ANAT' && centre.every(Number.isFinite))
    for (let i = 0; i < moved.length; i++) moved[i] += centre[i % 3]
  return { points: moved, faces }
}

/** Vertices of no face are not part of the map. */
function cutAway({ points, faces }: Surface): void {
  const isUsed = new Uint8Array(points.length / 3)
  for (const vertex of faces) isUsed[vertex] = 1
  for (let i = 0; i < points.length; i++) if (!isUsed[Math.floor(i / 3)]) points[i] = NaN
}

/** Vertices outside the patch are NaN. */
function readFlat(file: SourceFile, vertices: number): Float32Array<ArrayBuffer> {
  const patch = opened(file, readFreesurferPatch)
  const flat = new Float32Array(vertices * 3).fill(NaN)
  patch.vertices.forEach((vertex, i) => {
    if (vertex >= vertices) throw formatError(file.name, `vertex ${i}`, `below ${vertices}`, `${vertex}`)
    flat.set(patch.points.subarray(3 * i, 3 * i + 3), 3 * vertex)
  })
  return flat
}

type First = { name: string; vertices: number }

/** One number per vertex, of any format that holds such. */
function readValues(file: SourceFile, first: First): Float32Array<ArrayBuffer> {
  const values = opened(file, (source) => {
    if (file.format === 'gifti') {
      const [array] = readGifti(source).arrays
      if (!array) throw formatError(file.name, 'arrays', 'one number per vertex', 'none')
      return toFloat32(array)
    }
    return Float32Array.from(readFreesurferCurvature(source))
  })
  checkVertices(file, values.length, first)
  return values
}

function readParcellation(
  name: string,
  file: SourceFile,
  colours: SourceFile | undefined,
  first: First,
): Parcellation | undefined {
  if (file.format === 'freesurfer-annotation') {
    const { labels, table } = opened(file, readAnnotation)
    checkVertices(file, labels.length, first)
    return { name, labels: table, vertices: Int32Array.from(labels) }
  }
  if (file.format === 'freesurfer-label') {
    const { vertices } = opened(file, readFreesurferLabel)
    const labels: NamedLabel[] = [{ index: 1, name, colour: [255, 255, 255] }]
    const out = new Int32Array(first.vertices).fill(-1)
    for (const vertex of vertices) {
      if (vertex >= out.length) throw formatError(file.name, 'vertex', `below ${out.length}`, `${vertex}`)
      out[vertex] = 1
    }
    return { name, labels, vertices: out }
  }
  if (file.format === 'gifti') {
    const { arrays, labels } = opened(file, readGifti)
    const array = arrays.find(({ intent }) => intent === 'LABEL')
    if (!array) return undefined
    checkVertices(file, array.data.length, first)
    return { name, labels, vertices: Int32Array.from(array.data as ArrayLike<number>) }
  }
  return labelVolume(name, file, colours, first)
}

/** A volume of N x 1 x 1 whole numbers; maps of other kinds that lie in the same folder are left out. */
function labelVolume(
  name: string,
  file: SourceFile,
  colours: SourceFile | undefined,
  first: First,
): Parcellation | undefined {
  const data = opened(file, (source) => {
    const { shape, frames, readFrame } = openMgh(source)
    return frames === 1 && shape[0] * shape[1] * shape[2] === first.vertices ? toFloat32(readFrame(0)) : undefined
  })
  if (!data?.every(Number.isInteger)) return undefined
  const known = colours ? opened(colours, readColours) : []
  const vertices = Int32Array.from(data)
  const found = [...new Set(vertices)].sort((a, b) => a - b)
  if (found.length > 1000) return undefined
  const labels = found
    .filter((index) => index > 0)
    .map(
      (index): NamedLabel =>
        known.find((label) => label.index === index) ?? { index, name: `${name}-${index}`, colour: [255, 255, 255] },
    )
  return { name, labels, vertices: vertices.map((index) => (index > 0 ? index : -1)) }
}

/** Value of NSD's tables for a vertex outside the volume. */
const OUTSIDE = 9999

/** NSD's table (N, 3) of grid coordinates, which count from 1; NaN outside. */
function readLayer(file: SourceFile, vertices: number): Float32Array<ArrayBuffer> {
  return opened(file, (source) => {
    const { shape, frames, readFrame } = openMgh(source)
    const size = shape[0] * shape[1] * shape[2] * frames
    if (shape[0] !== vertices || size !== vertices * 3)
      throw formatError(file.name, 'shape', `three numbers for each of ${vertices} vertices`, `[${shape}] x ${frames}`)
    const out = new Float32Array(vertices * 3)
    if (frames === 3)
      for (let c = 0; c < 3; c++) toFloat32(readFrame(c)).forEach((value, p) => (out[3 * p + c] = value))
    else out.set(toFloat32(readFrame(0)))
    return out.map((value) => (value === OUTSIDE ? NaN : value - 1))
  })
}
