import type { Check } from '../checks.ts'
import type { Inventory, SourceFile } from '../inventory.ts'

/**
 * Known numbers of the Natural Scenes Dataset (Allen et al. 2022): voxels of the nsdgeneral mask at 1.8 mm as the MindEye papers use
 * it, sessions, and the 1.8 mm grid, by subject number.
 */
const nsd: Readonly<Record<number, { voxels: number; sessions: number; grid: [number, number, number] }>> = {
  1: { voxels: 15724, sessions: 40, grid: [81, 104, 83] },
  2: { voxels: 14278, sessions: 40, grid: [82, 106, 84] },
  3: { voxels: 15226, sessions: 32, grid: [81, 106, 82] },
  4: { voxels: 13153, sessions: 30, grid: [85, 99, 80] },
  5: { voxels: 13039, sessions: 40, grid: [79, 97, 78] },
  6: { voxels: 17907, sessions: 32, grid: [85, 113, 83] },
  7: { voxels: 12682, sessions: 40, grid: [78, 95, 81] },
  8: { voxels: 14386, sessions: 30, grid: [80, 103, 78] },
}

/** Trials of one NSD session. */
const NSD_SESSION_TRIALS = 750

/** The subject number in a path such as `…/subj01/…` or `betas_subj01.hdf5`. */
export function subjectNumber(text: string): number | undefined {
  const found = /subj0?(\d+)/i.exec(text)
  return found ? Number(found[1]) : undefined
}

/** Without the files whose folders or names say that they are of another subject. */
export function ofSubject(inventory: Inventory, files: SourceFile[], subject: number | undefined): SourceFile[] {
  if (subject === undefined) return files
  return files.filter((file) => (subjectNumber(inventory.within(file)) ?? subject) === subject)
}

/** Distinct subject numbers that the files are named by, ascending. */
export function subjectsOf(inventory: Inventory, files: readonly SourceFile[]): number[] {
  const numbers = new Set(files.map((file) => subjectNumber(inventory.within(file))).filter((n) => n !== undefined))
  return [...numbers].sort((a, b) => a - b)
}

/** The subject whose 1.8 mm grid this is. */
export function subjectOfGrid(grid: readonly number[]): number | undefined {
  const found = Object.entries(nsd).find(([, known]) => known.grid.join() === grid.join())
  return found ? Number(found[0]) : undefined
}

/** Counts found beside those of the real dataset, as notes: other preparations, and simulated subjects, differ. */
export function nsdCountChecks(subject: number | undefined, voxels: number, trials?: number): Check[] {
  const known = subject === undefined ? undefined : nsd[subject]
  if (!known) return []
  const note = (code: string, title: string, expected: number, found: number): Check => ({
    code,
    level: 'note',
    ok: expected === found,
    title,
    expected: `${expected} (subject ${subject} of the Natural Scenes Dataset)`,
    found: String(found),
    detail: expected === found ? '' : 'Another mask, an incomplete download, or data that are not the original ones.',
  })
  const checks = [note('nsd.voxels', 'Voxel count of nsdgeneral', known.voxels, voxels)]
  if (trials !== undefined)
    checks.push(note('nsd.trials', 'Trial count of all sessions', known.sessions * NSD_SESSION_TRIALS, trials))
  return checks
}
