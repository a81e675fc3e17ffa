/** FreeSurfer's binary meshes: triangle surfaces (lh.white, lh.pial, lh.inflated) and the flat pieces cut from them (patches). */
import { invertAffine, multiplyAffines } from '../base/affine.ts'
import { formatError } from '../base/errors.ts'
import { fromBytes } from './elements.ts'
import type { ByteSource } from './source.ts'

const surfaceMagic = 0xfffffe
/** The two lines of text before the counts take some 80 bytes. */
const maxComment = 4096

export interface FreesurferSurface {
  /** What the file says about its origin, e.g. `created by nicks on Mon …`. */
  comment: string
  /** (N, 3), millimetres in FreeSurfer's own frame, whose origin is the centre of the conformed volume. */
  vertices: Float32Array
  /** (F, 3), each below N. */
  faces: Uint32Array
  /** 4 x 4, row by row: from the file's frame to the scanner's RAS; undefined when the file does not tell. */
  toScanner?: number[]
}

/** Reads a triangle surface. Throws a format error for quadrangle files, counts beyond the bytes present and vertices that do not exist. */
export function readFreesurferSurface(source: ByteSource): FreesurferSurface {
  const where = source.name
  const magic = Buffer.from(source.read(0, 3, 'magic')).readUIntBE(0, 3)
  if (magic !== surfaceMagic)
    throw formatError(
      where,
      'magic',
      'fffffe (a triangle surface)',
      magic.toString(16),
      magic === 0xffffff || magic === 0xfffffd ? 'Convert the quadrangle file with `mris_convert`.' : undefined,
    )
  const head = Buffer.from(source.read(3, Math.min(maxComment, source.size - 3), 'comment'))
  // The second line is empty in what FreeSurfer writes.
  const first = head.indexOf(0x0a)
  const second = head.indexOf(0x0a, first + 1)
  if (first < 0 || second < 0)
    throw formatError(where, 'comment', `two lines within ${maxComment} bytes`, 'no line end')
  const start = 3 + second + 1
  const counts = Buffer.from(source.read(start, 8, 'counts'))
  const [n, f] = [counts.readInt32BE(0), counts.readInt32BE(4)]
  const present = source.size - start - 8
  if (n < 1 || f < 0 || n * 12 + f * 12 > present)
    throw formatError(
      where,
      'counts',
      `vertices and faces that fit into ${present} bytes`,
      `${n} vertices, ${f} faces`,
      'The file is cut short or damaged.',
    )
  const vertices = fromBytes(source.read(start + 8, n * 12, 'vertices'), 'float32', false) as Float32Array
  const faces = fromBytes(source.read(start + 8 + n * 12, f * 12, 'faces'), 'uint32', false) as Uint32Array
  checkFaces(where, faces, n)
  const footer = start + 8 + (n + f) * 12
  return { comment: head.toString('utf8', 0, first), vertices, faces, toScanner: readVolumeGeometry(source, footer) }
}

/** Throws a format error that names the first face of a vertex that does not exist. */
export function checkFaces(where: string, faces: Uint32Array, vertices: number): void {
  for (let i = 0; i < faces.length; i++)
    if (faces[i] >= vertices)
      throw formatError(where, `face ${Math.floor(i / 3)}`, `vertices below ${vertices}`, `${faces[i]}`)
}

/** Tags before the frame of the vertices and before the geometry of the volume that the surface was made from. */
const frameTag = 2
const geometryTag = 20
const identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
const maxFooter = 1 << 16

/**
 * Surfaces are stored in the frame of the conformed volume ("tkRAS"). The footer names that volume's axes and centre, from which
 * follows where the vertices lie in the scanner, as the affine of a NIfTI file has it.
 */
function readVolumeGeometry(source: ByteSource, offset: number): number[] | undefined {
  const footer = Buffer.from(source.read(offset, Math.min(maxFooter, source.size - offset), 'footer'))
  const tag = (at: number): number | undefined => (footer.length >= at + 4 ? footer.readInt32BE(at) : undefined)
  // Most files say first (tag 2) whether their vertices are in the scanner's frame already.
  const isFramed = tag(0) === frameTag
  if (isFramed && tag(4) === 1) return identity
  const at = isFramed ? 8 : 0
  if (tag(at) !== geometryTag) return undefined
  const text = footer.toString('latin1', at + 4)
  const field = (name: string, count: number): number[] | undefined => {
    const found = new RegExp(`^${name}\\s*=([^\\n]*)`, 'm').exec(text)?.[1]
    const numbers = found?.trim().split(/\s+/).map(Number)
    return numbers?.length === count && numbers.every(Number.isFinite) ? numbers : undefined
  }
  if (!/^valid\s*=\s*1/m.test(text)) return undefined
  const [volume, size, centre] = [field('volume', 3), field('voxelsize', 3), field('cras', 3)]
  const axes = ['xras', 'yras', 'zras'].map((name) => field(name, 3))
  if (!volume || !size || !centre || axes.some((axis) => !axis)) return undefined
  const half = volume.map((count, axis) => (count * size[axis]) / 2)
  // Voxel to the surface's frame, whose axes are fixed (Torig), and voxel to the scanner (Norig).
  const surface = [-size[0], 0, 0, half[0], 0, 0, size[2], -half[2], 0, -size[1], 0, half[1], 0, 0, 0, 1]
  const scanner = [0, 1, 2].flatMap((row) => {
    const columns = axes.map((axis, c) => axis![row] * size[c])
    return [...columns, centre[row] - columns.reduce((sum, value, c) => sum + (value * volume[c]) / 2, 0)]
  })
  const back = invertAffine(surface)
  return back && multiplyAffines([...scanner, 0, 0, 0, 1], back)
}

export interface FreesurferPatch {
  /** (n) vertices of the surface that the patch holds, ascending or not, each once. */
  vertices: Uint32Array
  /** (n, 3), millimetres. */
  points: Float32Array
}

/** Reads a binary patch (lh.full.flat.patch.3d): some vertices of a surface with places of their own. */
export function readFreesurferPatch(source: ByteSource): FreesurferPatch {
  const where = source.name
  const head = Buffer.from(source.read(0, 8, 'header'))
  if (head.readInt32BE(0) !== -1)
    throw formatError(where, 'magic', '-1 (a binary patch)', `${head.readInt32BE(0)}`, 'ASCII patches are not read.')
  const n = head.readInt32BE(4)
  if (n < 1 || n * 16 > source.size - 8)
    throw formatError(where, 'count', `at most ${Math.floor((source.size - 8) / 16)} vertices`, `${n}`)
  const bytes = Buffer.from(source.read(8, n * 16, 'vertices'))
  const vertices = new Uint32Array(n)
  const points = new Float32Array(n * 3)
  for (let i = 0; i < n; i++) {
    // Counted from 1, and negative on the border of the patch.
    const index = Math.abs(bytes.readInt32BE(i * 16))
    if (index < 1) throw formatError(where, `vertex ${i}`, 'a number other than 0', '0')
    vertices[i] = index - 1
    for (let c = 0; c < 3; c++) points[3 * i + c] = bytes.readFloatBE(i * 16 + 4 + 4 * c)
  }
  return { vertices, points }
}
