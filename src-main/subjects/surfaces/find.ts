import { basename, dirname, sep } from 'node:path'
import { MindEyeError } from '../../base/errors.ts'
import { readGifti } from '../../formats/gifti.ts'
import { openFile } from '../../formats/source.ts'
import type { Inventory, SourceFile } from '../inventory.ts'
import { shapeNames, sides, type ShapeName, type Side } from './hemisphere.ts'

/** The files of one hemisphere. */
export interface HemisphereFiles {
  shapes: Partial<Record<ShapeName, SourceFile>>
  curvature?: SourceFile
  parcellations: { name: string; file: SourceFile; colours?: SourceFile }[]
  /** NSD's tables of where each vertex lies in a functional volume, from white to pial. */
  layers: SourceFile[]
}

export interface FoundSurfaces {
  /** The folder that they lie in. */
  folder: string
  hemispheres: Partial<Record<Side, HemisphereFiles>>
  /** Everything that was taken from the folder, and all else that FreeSurfer keeps in it. */
  files: SourceFile[]
}

const MOST_PARCELLATIONS = 100

const sideWords: Readonly<Record<string, Side>> = {
  lh: 'left',
  l: 'left',
  left: 'left',
  rh: 'right',
  r: 'right',
  right: 'right',
}

/** The hemisphere that a name tells (`lh.white`, `sub-1_hemi-R_pial.surf.gii`, `100307.L.pial.gii`, `pial_left.gii.gz`), and the rest of it. */
export function sideOf(name: string): { side: Side; rest: string } | undefined {
  const found = /(^|[._-])(?:hemi-)?(lh|rh|left|right|l|r)(?=[._-])[._-]?/i.exec(name)
  if (!found) return undefined
  const rest = name.slice(0, found.index) + (found.index ? found[1] : '') + name.slice(found.index + found[0].length)
  return { side: sideWords[found[2].toLowerCase()], rest }
}

type Role = { shape: ShapeName; rank: number } | 'curvature' | 'parcellation' | 'layer'

/** FreeSurfer's own names; of several that would do, the lowest rank is taken. */
const freesurferShapes: readonly [RegExp, ShapeName, number][] = [
  [/^white$/, 'white', 0],
  [/^smoothwm$/, 'white', 1],
  [/^pial$/, 'pial', 0],
  [/^pial\.T1$/, 'pial', 1],
  [/^inflated$/, 'inflated', 0],
]
const giftiShapes: readonly [RegExp, ShapeName, number][] = [
  [/sphere|midthickness|graymid|orig|smoothed/i, 'white', NaN],
  [/(^|[._-])flat/i, 'flat', 0],
  [/very_?inflated/i, 'inflated', 1],
  [/infl/i, 'inflated', 0],
  [/pial/i, 'pial', 0],
  [/smoothwm/i, 'white', 1],
  [/white|(^|[._-])wm/i, 'white', 0],
]

function roleOf({ format, path }: SourceFile, rest: string): Role | undefined {
  const shape = (list: typeof giftiShapes): Role | undefined => {
    const found = list.find(([pattern]) => pattern.test(rest))
    return found && !Number.isNaN(found[2]) ? { shape: found[1], rank: found[2] } : undefined
  }
  switch (format) {
    case 'freesurfer-surface':
      return shape(freesurferShapes)
    case 'freesurfer-patch':
      return /flat/.test(rest) ? { shape: 'flat', rank: /full|cortex/.test(rest) ? 0 : 1 } : undefined
    case 'freesurfer-curvature':
      return rest === 'curv' ? 'curvature' : undefined
    case 'freesurfer-annotation':
    case 'freesurfer-label':
      return 'parcellation'
    case 'mgh':
      if (layerTable.test(rest)) return 'layer'
      return basename(dirname(path)) === 'label' ? 'parcellation' : undefined
    case 'gifti':
      if (/\.(label|dlabel)\.gii/i.test(rest)) return 'parcellation'
      if (/curv/i.test(rest)) return 'curvature'
      return /\.(shape|func|time)\.gii|sulc|thick|area/i.test(rest) ? undefined : shape(giftiShapes)
    default:
      return undefined
  }
}

/** NSD's tables from a functional volume of 1 or 1.8 mm to three depths of the sheet. */
const layerTable = /^func(1pt[08])-to-layerB[123]\.mg[hz]$/

const plainName = (rest: string): string =>
  rest.replace(/\.gz$/, '').replace(/\.(label\.gii|gii|annot|label|mg[hz])$/, '')

/**
 * The surfaces of one person among files: a FreeSurfer subject folder (surf/, label/) or a folder of GIFTI files. Where several
 * people's lie side by side, `hint`, e.g. `subj01`, says whose are wanted; `voxelMm` is the size of the functional voxels. Undefined
 * when there are none, or more than one would do.
 */
export function findSurfaces(inventory: Inventory, hint: string, voxelMm?: number): FoundSurfaces | undefined {
  const folders = new Map<string, { file: SourceFile; side: Side; rest: string; role: Role }[]>()
  for (const file of inventory.files) {
    const named = sideOf(file.name) ?? sideInside(file)
    const role = named && roleOf(file, named.rest)
    if (!named || !role || role === 'layer') continue
    const here = dirname(file.path)
    const folder = /^(surf|label)$/.test(basename(here)) ? dirname(here) : here
    const list = folders.get(folder)
    if (list) list.push({ file, ...named, role })
    else folders.set(folder, [{ file, ...named, role }])
  }
  const candidates = [...folders].filter(([, list]) =>
    list.some(({ role }) => typeof role === 'object' && role.shape !== 'flat'),
  )
  const isWanted = ([folder]: (typeof candidates)[number]) => folder.split(sep).includes(hint)
  const own = candidates.filter(([folder]) => basename(folder) !== 'fsaverage')
  const chosen =
    candidates.find(isWanted) ?? (own.length === 1 ? own[0] : candidates.length === 1 ? candidates[0] : undefined)
  if (!chosen) return undefined
  const [folder, list] = chosen

  const hemispheres: FoundSurfaces['hemispheres'] = {}
  for (const side of sides) {
    const ours = list.filter((it) => it.side === side)
    if (!ours.length) continue
    const files: HemisphereFiles = {
      shapes: {},
      parcellations: [],
      layers: layersFor(inventory, side, folder, voxelMm),
    }
    for (const name of shapeNames) {
      const found = ours.flatMap(({ file, role }) =>
        typeof role === 'object' && role.shape === name ? [{ file, ...role }] : [],
      )
      files.shapes[name] = found.sort((a, b) => a.rank - b.rank || b.file.size - a.file.size)[0]?.file
    }
    files.curvature = ours.find(({ role }) => role === 'curvature')?.file
    files.parcellations = ours
      .filter(({ role }) => role === 'parcellation')
      .slice(0, MOST_PARCELLATIONS)
      .map(({ file, rest }) => ({ name: plainName(rest), file, colours: coloursOf(inventory, file, rest) }))
    hemispheres[side] = files
  }
  const isFreesurfer = list.some(({ file }) => file.format === 'freesurfer-surface')
  const taken = new Set(list.map(({ file }) => file))
  const layers = Object.values(hemispheres).flatMap(({ layers }) => layers)
  const files = inventory.files.filter(
    (file) => taken.has(file) || layers.includes(file) || (isFreesurfer && file.path.startsWith(folder + sep)),
  )
  return { folder, hemispheres, files }
}

/** Of GIFTI files whose names do not tell, what they say themselves. */
function sideInside(file: SourceFile): { side: Side; rest: string } | undefined {
  if (file.format !== 'gifti' || !/\.surf\.gii/i.test(file.name)) return undefined
  const source = openFile(file.path)
  try {
    const { metadata, arrays } = readGifti(source)
    const said = [metadata, ...arrays.map((array) => array.metadata)].map((it) => it.get('AnatomicalStructurePrimary'))
    const side = said.includes('CortexLeft') ? 'left' : said.includes('CortexRight') ? 'right' : undefined
    return side && { side, rest: file.name }
  } catch (error) {
    // Damaged, it tells nothing, and is of nobody.
    if (error instanceof MindEyeError) return undefined
    throw error
  } finally {
    source.close()
  }
}

/** NSD keeps the names and colours of `lh.streams.mgz` in `streams.mgz.ctab`. */
function coloursOf(inventory: Inventory, file: SourceFile, rest: string): SourceFile | undefined {
  if (file.format !== 'mgh') return undefined
  const folder = dirname(file.path)
  return inventory.files.find(({ path, name }) => dirname(path) === folder && name === `${rest}.ctab`)
}

/** NSD's tables for these voxels lie in `transforms` beside the person's data, not with the surfaces. */
function layersFor(inventory: Inventory, side: Side, folder: string, voxelMm = 0): SourceFile[] {
  const person = basename(folder)
  const size = voxelMm.toFixed(1).replace('.', 'pt')
  return inventory.files
    .filter(({ name, path, format }) => {
      const named = format === 'mgh' ? sideOf(name) : undefined
      return named?.side === side && layerTable.exec(named.rest)?.[1] === size && path.split(sep).includes(person)
    })
    .sort((a, b) => a.name.localeCompare(b.name))
}
