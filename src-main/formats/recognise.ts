/** What a file is, by its content; names are not looked at. */
import { MindEyeError } from '../base/errors.ts'
import { isOldCurvature } from './freesurferCurvature.ts'
import { imageFormat } from './images.ts'
import { inflatePrefix, prefixLength } from './inflate.ts'
import { isMghHead } from './mgh.ts'
import type { ByteSource } from './source.ts'

export type FormatId =
  | 'npy'
  | 'npz'
  | 'safetensors'
  | 'torch'
  | 'matlab5'
  | 'matlab73'
  | 'hdf5'
  | 'nifti'
  | 'mgh'
  | 'gifti'
  | 'freesurfer-surface'
  | 'freesurfer-patch'
  | 'freesurfer-curvature'
  | 'freesurfer-annotation'
  | 'freesurfer-label'
  | 'png'
  | 'jpeg'
  | 'webp'
  | 'tiff'
  | 'tar'
  | 'table'

const headLength = 4096

/** What torch.save writes: an archive that begins with one of its members, or a pickle of its magic number. */
const torchMarks: readonly RegExp[] = [
  /^PK\x03\x04[^]{26}[^/]+\/(data\.pkl|data\/|version|byteorder)/,
  /^\x80[\x02-\x05](\x95[^]{8})?\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19/,
]

/**
 * The format whose marks a file carries, undefined for any other. `nifti`, `mgh` and `gifti` may be gzipped, as .nii.gz is. A mark is
 * no promise that the file is whole: that is for its reader to find out.
 */
export function recogniseFormat(source: ByteSource): FormatId | undefined {
  const head = Buffer.from(source.read(0, Math.min(headLength, source.size), 'beginning'))
  const text = head.toString('latin1', 0, 512)
  const image = imageFormat(head)
  if (image) return image
  if (text.startsWith('\x93NUMPY')) return 'npy'
  if (torchMarks.some((mark) => mark.test(text))) return 'torch'
  if (/^PK\x03\x04[^]{26}[^]*?\.npy/.test(text)) return 'npz'
  if (text.startsWith('\x1f\x8b')) {
    const inflated = inflatedHead(source)
    return isNifti(inflated) ? 'nifti' : isMghHead(inflated) ? 'mgh' : isGifti(inflated) ? 'gifti' : undefined
  }
  if (isHdf5(source)) return text.startsWith('MATLAB 7.3') ? 'matlab73' : 'hdf5'
  if (/^[^]{124}(\x00\x01IM|\x01\x00MI)/.test(text)) return 'matlab5'
  if (isNifti(head)) return 'nifti'
  if (isMghHead(head)) return 'mgh'
  if (isGifti(head)) return 'gifti'
  const freesurfer = freesurferFormat(source, head)
  if (freesurfer) return freesurfer
  if (/^[^]{257}ustar/.test(text)) return 'tar'
  if (head.length > 8 && head[8] === 0x7b && head.readBigUInt64LE(0) <= source.size - 8) return 'safetensors'
  return isTable(head) ? 'table' : undefined
}

/** HDF5's signature comes first or, behind a block of the user's, at 512 bytes or a power of two times that. */
function isHdf5(source: ByteSource): boolean {
  for (let at = 0; at + 8 <= source.size; at = at ? at * 2 : 512)
    if (Buffer.from(source.read(at, 8, 'signature')).toString('latin1') === '\x89HDF\r\n\x1a\n') return true
  return false
}

/** Header sizes and magic of NIfTI-1 and 2, one file or a pair of .hdr and .img. */
function isNifti(head: Buffer): boolean {
  const sizeIs = (size: number) => head.length >= size && (head.readInt32LE(0) === size || head.readInt32BE(0) === size)
  const magic = (at: number) => head.toString('latin1', at, at + 3)
  return (sizeIs(348) && /^n[i+]1/.test(magic(344))) || (sizeIs(540) && /^n[i+]2/.test(magic(4)))
}

/** The outermost element comes first, behind at most a declaration, a document type and comments. */
const isGifti = (head: Buffer): boolean =>
  /^(\xef\xbb\xbf)?\s*(<\?([^?]|\?(?!>))*\?>\s*|<!--([^-]|-(?!->))*-->\s*|<!DOCTYPE[^>]*>\s*)*<GIFTI[\s>]/.test(
    head.toString('latin1'),
  )

/** Some of FreeSurfer's files have marks; the others are known by counts that fit the file's size. */
function freesurferFormat({ size }: ByteSource, head: Buffer): FormatId | undefined {
  const int = (at: number): number => (head.length >= at + 4 ? head.readInt32BE(at) : -1)
  const text = head.toString('latin1', 0, 512)
  if (/^\xff\xff\xfe[\x20-\x7e]*\n/.test(text)) return 'freesurfer-surface'
  if (text.startsWith('\xff\xff\xff') && int(3) > 0 && size === 15 + 4 * int(3)) return 'freesurfer-curvature'
  if (int(0) === -1 && int(4) > 0 && size === 8 + 16 * int(4)) return 'freesurfer-patch'
  if (/^#!ascii label\b/.test(text)) return 'freesurfer-label'
  if (isOldCurvature(head, size)) return 'freesurfer-curvature'
  // An annotation lists its vertices from 0 on, each with its colour, before a table.
  const [n, first, second] = [int(0), int(4), int(12)]
  if (n > 1 && first === 0 && second === 1 && size >= 4 + 8 * n) return 'freesurfer-annotation'
  return undefined
}

/** The first inflated bytes of a gzip file; none when it is damaged. */
function inflatedHead(source: ByteSource): Buffer {
  try {
    const bytes = source.read(0, Math.min(prefixLength, source.size))
    const inflated = inflatePrefix(source.name, 'gzip data', bytes, 'gzip')
    // A volume of a few voxels is shorter than the longest header.
    return Buffer.from(inflated.subarray(0, headLength))
  } catch (error) {
    if (error instanceof MindEyeError) return Buffer.alloc(0)
    throw error
  }
}

/** Text without control characters whose first line (which may go on behind the head) has a separator, and that is no JSON. */
function isTable(head: Buffer): boolean {
  const text = head.toString('utf8')
  const [firstLine] = text.split(/[\r\n]/, 1)
  // A letter of several bytes may be cut at the end of the head.
  const plain = !/[\x00-\x08\x0e-\x1f\x7f]/.test(text) && !text.slice(0, -4).includes('\ufffd')
  const hasLine = /[\r\n]/.test(text) || head.length === headLength
  return plain && /[,\t]/.test(firstLine) && hasLine && !/^\s*[[{<]/.test(text)
}
