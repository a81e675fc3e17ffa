import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { formatError } from '../../base/errors.ts'
import type { NiftiFile } from '../../formats/nifti.ts'
import type { Inventory, SourceFile } from '../inventory.ts'
import type { Roi, Study } from '../study.ts'
import { ofSubject } from './nsdFacts.ts'

/** The voxels of a study inside a volume, and the named sets among them. */
export interface Masks {
  /** (V) C-order indices into the (x, y, z) grid, ascending. */
  voxels: Int32Array
  /** Which file chose the voxels, in words. */
  chosen: string
  rois: Roi[]
  grid: [number, number, number]
  /** 4 x 4 rows, voxel indices to mm. */
  affine: number[][]
  sources: string[]
}

/** Label names of NSD's ROI volumes, by file stem; `nsddata` ships them as tables beside the masks. */
const labelNames: Readonly<Record<string, readonly string[]>> = {
  'prf-visualrois': ['V1v', 'V1d', 'V2v', 'V2d', 'V3v', 'V3d', 'hV4'],
  'floc-faces': ['OFA', 'FFA-1', 'FFA-2', 'mTL-faces', 'aTL-faces'],
  'floc-bodies': ['EBA', 'FBA-1', 'FBA-2', 'mTL-bodies'],
  'floc-places': ['OPA', 'PPA', 'RSC'],
  'floc-words': ['OWFA', 'VWFA-1', 'VWFA-2', 'mfs-words', 'mTL-words'],
  streams: ['early', 'midventral', 'midlateral', 'midparietal', 'ventral', 'lateral', 'parietal'],
}

const MOST_LABELS = 200
const stem = (file: SourceFile): string => file.name.replace(/\.nii(\.gz)?$/i, '')

/**
 * Looks at every 3-D NIfTI on this grid (other than `exclude`) that holds whole numbers: the voxels are those above zero in the
 * file called nsdgeneral, else in one called …mask…, else in any of them. Each positive label is a ROI. Files in folders of another
 * subject than `subject` are left alone. Throws without a mask.
 */
export function findMasks(
  inventory: Inventory,
  grid: readonly number[],
  exclude: readonly string[],
  subject?: number,
): Masks {
  const found: { file: SourceFile; nifti: NiftiFile; labels: Int32Array }[] = []
  // One hemisphere's half of a mask that is there as a whole adds nothing.
  const all = ofSubject(inventory, inventory.ofFormat('nifti'), subject).filter(
    ({ path, name }) => !exclude.includes(path) && !/^[lr]h\./.test(name),
  )
  // NSD keeps maps of other kinds on the same grid, but only masks in a folder called roi.
  const inRoiFolder = all.filter(({ path }) => basename(dirname(path)) === 'roi')
  for (const file of inRoiFolder.length ? inRoiFolder : all) {
    const nifti = inventory.nifti(file)
    if (nifti.volumeCount !== 1 || nifti.volumeShape.join() !== grid.join()) continue
    const labels = wholeLabels(nifti)
    if (labels) found.push({ file, nifti, labels })
  }
  if (!found.length)
    throw formatError(
      inventory.paths.join(', '),
      'mask',
      `a 3-D NIfTI of ${grid.join(' x ')} that marks the voxels to use`,
      'none',
      'Add nsdgeneral.nii.gz or another mask on the same grid.',
    )
  const chooser =
    found.find(({ file }) => /nsdgeneral/i.test(file.name)) ?? found.find(({ file }) => /mask/i.test(file.name))
  const choosing = chooser ? [chooser] : found
  const voxels: number[] = []
  for (let i = 0; i < found[0].labels.length; i++) if (choosing.some(({ labels }) => labels[i] > 0)) voxels.push(i)
  const rois = found
    .filter((it) => it !== chooser)
    .flatMap(({ file, labels }) => roisOf(inventory, stem(file), labels, voxels))
  return {
    voxels: Int32Array.from(voxels),
    chosen: chooser
      ? `above zero in ${chooser.file.name}`
      : `above zero in any of ${found.map(({ file }) => file.name).join(', ')}`,
    rois,
    grid: found[0].nifti.volumeShape,
    affine: choosing[0].nifti.affine,
    sources: found.map(({ file }) => file.path),
  }
}

/**
 * ROIs and geometry for betas that come without a volume: masks beside them, if nsdgeneral marks exactly V voxels. NSD flattens
 * a volume in C order, so that the n-th marked voxel is the n-th column.
 */
export function volumeOf(
  inventory: Inventory,
  V: number,
  subject?: number,
): { sources: string[]; geometry: Pick<Study, 'rois' | 'positions' | 'volume'> } {
  const own = ofSubject(inventory, inventory.ofFormat('nifti'), subject)
  const general = own.find(({ name }) => /^nsdgeneral\.nii/i.test(name))
  const masks = general && findMasks(inventory, inventory.nifti(general).volumeShape, [], subject)
  if (masks?.voxels.length !== V) return { sources: [], geometry: { rois: [] } }
  const volume = { shape: [...masks.grid], affine: masks.affine.flat() }
  return { sources: masks.sources, geometry: { rois: masks.rois, positions: maskedPositions(masks), volume } }
}

/** The volume as labels; undefined when it holds fractions or more values than ROIs could. */
function wholeLabels(nifti: NiftiFile): Int32Array | undefined {
  const { data } = nifti.readVolume(0)
  const labels = new Int32Array(data.length)
  const seen = new Set<number>()
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i])
    // NSD marks voxels outside the cortex as NaN or -1.
    labels[i] = Number.isNaN(value) ? 0 : value
    if (labels[i] !== value && !Number.isNaN(value)) return undefined
    seen.add(labels[i])
    if (seen.size > MOST_LABELS) return undefined
  }
  return labels
}

/** Label names from a FreeSurfer colour table beside the masks (`NAME.mgz.ctab`: number, name, colour), else those known. */
function namesOf(inventory: Inventory, name: string): (label: number) => string {
  const table = inventory.files.find((file) => file.name === `${name}.mgz.ctab` && file.size < 1 << 20)
  const rows = table ? readFileSync(table.path, 'utf8').split('\n') : []
  const told = new Map(rows.map((row) => row.trim().split(/\s+/)).map(([label, text]) => [Number(label), text]))
  return (label) => told.get(label) ?? labelNames[name]?.[label - 1] ?? `${name}-${label}`
}

/** One ROI per positive label that marks any of the voxels. */
function roisOf(inventory: Inventory, name: string, labels: Int32Array, voxels: number[]): Roi[] {
  const values = [...new Set(labels)].filter((label) => label > 0).sort((a, b) => a - b)
  const nameOf = values.length === 1 && !labelNames[name] ? () => name : namesOf(inventory, name)
  return values
    .map((value) => ({ name: nameOf(value), mask: Uint8Array.from(voxels, (i) => (labels[i] === value ? 1 : 0)) }))
    .filter(({ mask }) => mask.includes(1))
}

/** Centres of the masked voxels in mm, (V, 3). */
export function maskedPositions({ voxels, grid, affine }: Masks): Float32Array<ArrayBuffer> {
  const [, ny, nz] = grid
  const out = new Float32Array(voxels.length * 3)
  voxels.forEach((i, v) => {
    const at = [Math.floor(i / (ny * nz)), Math.floor(i / nz) % ny, i % nz]
    for (let r = 0; r < 3; r++)
      out[v * 3 + r] = affine[r][0] * at[0] + affine[r][1] * at[1] + affine[r][2] * at[2] + affine[r][3]
  })
  return out
}
