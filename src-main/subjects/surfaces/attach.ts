import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError } from '../../base/errors.ts'
import { removeFolder, stageFolder, sweepTemporary, writeFileAtomic } from '../../base/files.ts'
import type { Check } from '../checks.ts'
import { Inventory } from '../inventory.ts'
import type { Study } from '../study.ts'
import { readManifest, readSubjectArray, type SubjectManifest } from '../subject.ts'
import { findSurfaces, type FoundSurfaces } from './find.ts'
import { sides } from './hemisphere.ts'
import { readSurfaces } from './read.ts'
import { surfacesFolder, writeSurfaces, type StoredSurfaces } from './stored.ts'
import type { VoxelPlaces } from './voxelMap.ts'

/** Below this share of voxels with a vertex the surfaces are hardly those of this person in this space. */
const LEAST_MATCHED = 0.5

/** Edge of the functional voxels in mm, where the grid is known. */
const voxelMm = (volume: VoxelPlaces['volume']): number | undefined =>
  volume && Math.hypot(volume.affine[0], volume.affine[4], volume.affine[8])

/** The surfaces beside a dataset, of the person that it is about. */
export const surfacesBeside = (inventory: Inventory, study: Study): FoundSurfaces | undefined =>
  findSurfaces(inventory, study.name, voxelMm(study.volume))

/**
 * Writes the surfaces that lie beside a dataset into the subject's staged folder. A damaged file among them does not stop the
 * import: what is wrong is told by the check.
 */
export function importSurfaces(
  found: FoundSurfaces,
  study: Study,
  stagingDir: string,
): { check: Check; surfaces?: SubjectManifest['surfaces'] } {
  try {
    const places = study.positions && { positions: study.positions, volume: study.volume }
    const staged = stageFolder(surfacesFolder(stagingDir))
    try {
      const facts = writeSurfaces(staged.folder, readSurfaces(found), places)
      staged.commit()
      return { check: surfacesCheck(found.folder, facts), surfaces: factsOf(facts) }
    } finally {
      staged.discard()
    }
  } catch (error) {
    if (!(error instanceof MindEyeError)) throw error
    const { where, field, expected, found: seen, fix } = error.parts
    const check: Check = {
      code: 'surfaces',
      level: 'warning',
      ok: false,
      title: 'Surfaces of the cortex',
      expected: `${[where, field].filter(Boolean).join(', ')}: ${expected}`,
      found: seen,
      detail: `${fix ? `${fix} ` : ''}The subject is imported without surfaces; attach them later with \`mindeye surfaces\`.`,
    }
    return { check }
  }
}

/** What the subject's manifest says of its surfaces. */
function factsOf({ source, hemispheres }: StoredSurfaces): SubjectManifest['surfaces'] {
  const vertices = Object.fromEntries(
    sides.flatMap((side) => (hemispheres[side] ? [[side, hemispheres[side].vertices]] : [])),
  )
  return { source, attached: new Date().toISOString(), vertices }
}

/** What the surfaces are, and whether the voxels lie in them. */
export function surfacesCheck(folder: string, { source, hemispheres, match }: StoredSurfaces): Check {
  const meshes = Object.entries(hemispheres).flatMap(([side, mesh]) =>
    mesh ? [`${side} ${mesh.vertices} vertices (${mesh.shapes.join(', ')})`] : [],
  )
  const share = match && match.voxels / Math.max(1, match.of)
  return {
    code: 'surfaces',
    level: 'warning',
    ok: share === undefined || share >= LEAST_MATCHED,
    title: 'Surfaces of the cortex',
    expected: 'surfaces that pass through the voxels',
    found: `${meshes.join('; ')}; ${share === undefined ? 'where the voxels are is not known' : `${match!.voxels} of ${match!.of} voxels have a vertex`}`,
    detail:
      share !== undefined && share < LEAST_MATCHED
        ? `The ${source === 'gifti' ? 'GIFTI' : 'FreeSurfer'} surfaces of ${folder} and the volume are not in one space, or not of one person.`
        : '',
  }
}

/**
 * Reads surfaces from files and gives them to an imported subject, in place of those it had. All or nothing: a damaged file
 * leaves the subject as it was.
 */
export function attachSurfaces(
  subjectFolder: string,
  paths: readonly string[],
): { facts: StoredSurfaces; check: Check } {
  const manifest = readManifest(subjectFolder)
  const positions = readSubjectArray(subjectFolder, 'positions.npy')?.data as Float32Array | undefined
  const inventory = new Inventory(paths)
  try {
    const found = findSurfaces(inventory, manifest.id, voxelMm(manifest.volume))
    if (!found) throw noSurfaces(paths.join(', '))
    sweepTemporary(subjectFolder)
    const folder = surfacesFolder(subjectFolder)
    const staged = stageFolder(folder)
    try {
      const facts = writeSurfaces(
        staged.folder,
        readSurfaces(found),
        positions && { positions, volume: manifest.volume },
      )
      if (existsSync(folder)) removeFolder(folder)
      staged.commit()
      const check = surfacesCheck(found.folder, facts)
      const checks = [...manifest.checks.filter(({ code }) => code !== check.code), check]
      const told: SubjectManifest = { ...manifest, surfaces: factsOf(facts), checks }
      writeFileAtomic(join(subjectFolder, 'subject.json'), `${JSON.stringify(told, null, 2)}\n`)
      return { facts, check }
    } finally {
      staged.discard()
    }
  } finally {
    inventory.close()
  }
}

function noSurfaces(where: string): MindEyeError {
  return new MindEyeError({
    kind: 'input',
    where,
    expected:
      'the surfaces of one person: a FreeSurfer subject folder (surf/lh.white …), or GIFTI files named by hemisphere and shape',
    found: 'none, or those of several',
    fix: 'Point at the folder of one person.',
  })
}
