import type { FormatId } from '../formats/recognise.ts'
import type { Check } from './checks.ts'
import type { Inventory, SourceFile } from './inventory.ts'
import { subjectNumber } from './layouts/nsdFacts.ts'
import type { Mapping, Study } from './study.ts'
import { count } from './wording.ts'

const NAMED = 3

const formatNames: Readonly<Record<FormatId, string>> = {
  npy: 'npy array',
  npz: 'npz arrays',
  safetensors: 'safetensors',
  torch: 'PyTorch',
  matlab5: 'MATLAB',
  matlab73: 'MATLAB 7.3',
  hdf5: 'HDF5',
  nifti: 'NIfTI',
  mgh: 'FreeSurfer volume',
  gifti: 'GIFTI',
  'freesurfer-surface': 'FreeSurfer surface',
  'freesurfer-patch': 'FreeSurfer patch',
  'freesurfer-curvature': 'FreeSurfer curvature',
  'freesurfer-annotation': 'FreeSurfer annotation',
  'freesurfer-label': 'FreeSurfer label',
  png: 'PNG',
  jpeg: 'JPEG',
  webp: 'WebP',
  tiff: 'TIFF',
  tar: 'tar',
  table: 'table',
}

/** A format in words, for people: `NIfTI`, or `not a format that we read`. */
export const nameOfFormat = (format: FormatId | undefined): string =>
  format ? formatNames[format] : 'not a format that we read'

/** What goes along with data without being data: read by name (colour tables, totals) or meant for people. */
const isCompanion = ({ name }: SourceFile): boolean =>
  /^(metadata_.*\.json|.*\.ctab|(readme|license|changes)(\..*)?|dataset_description\.json)$/i.test(name)

/**
 * Names the files that the dataset was not made of, nor its `surfaces`: a second dataset among them, or a mask that was not understood,
 * is seen here.
 */
export function unusedCheck(
  inventory: Inventory,
  study: Study,
  map: Mapping,
  surfaces: readonly SourceFile[] = [],
): Check {
  const used = new Set([...study.sources, ...surfaces.map(({ path }) => path)])
  const asked = map.subject === undefined ? undefined : Number(map.subject)
  // Where one of several subjects was asked for, the files of the others are no surprise.
  const isAnothers = (file: SourceFile) => {
    const number = subjectNumber(inventory.within(file))
    return asked !== undefined && number !== undefined && number !== asked
  }
  const unused = inventory.files.filter((file) => !used.has(file.path) && !isCompanion(file) && !isAnothers(file))
  // What we could have read comes first: it is what somebody may miss.
  unused.sort((a, b) => Number(b.format !== undefined) - Number(a.format !== undefined))
  const named = unused.slice(0, NAMED).map((file) => `${inventory.within(file)} (${nameOfFormat(file.format)})`)
  return {
    code: 'files.unused',
    level: 'note',
    ok: unused.length === 0,
    title: 'Every file is used',
    expected: 'files of this dataset only',
    found: unused.length
      ? `${unused.length} of ${count(inventory.files.length, 'file')} unused: ${named.join(', ')}${unused.length > NAMED ? ', …' : ''}`
      : `all ${count(inventory.files.length, 'file')}`,
    detail: unused.length ? 'They are left where they are. A second dataset is imported on its own.' : '',
  }
}
