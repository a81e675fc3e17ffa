import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openNpy } from '../../src-main/formats/npy.ts'
import { openFile } from '../../src-main/formats/source.ts'
import { simulate, simulatedLayouts } from '../../src-main/subjects/simulator/simulate.ts'
import { readSubjectArray, type TrialTable } from '../../src-main/subjects/subject.ts'
import { load, quietly, rowsOf, temporaryFolder } from './support.ts'

/** Per voxel and session by mean and SD of the train trials, as the webdataset and HDF5 layouts store betas. */
function zScored(rows: number[][], { session, part }: TrialTable): number[][] {
  const out = rows.map((row) => [...row])
  for (const day of new Set(session)) {
    const all = [...session.keys()].filter((t) => session[t] === day)
    const own = all.filter((t) => part[t] === 0)
    for (let v = 0; v < rows[0].length; v++) {
      const mean = own.reduce((sum, t) => sum + rows[t][v], 0) / own.length
      const sd = Math.sqrt(own.reduce((sum, t) => sum + (rows[t][v] - mean) ** 2, 0) / own.length)
      for (const t of all) out[t][v] = (rows[t][v] - mean) / sd
    }
  }
  return out
}

interface Loaded extends Awaited<ReturnType<typeof load>> {
  layout: string
  shown: string[]
  rows: number[][]
}

it('one simulated subject, written in three layouts, is imported as the same trials of the same voxels', async () => {
  const folder = temporaryFolder()
  const loaded: Loaded[] = []
  for (const layout of simulatedLayouts) {
    const out = join(folder, layout)
    const { subjects } = await simulate({ out, subjects: 1, images: 8, layout, seed: 3, imageSize: 32 }, quietly())
    const it = await load([subjects[0].path])
    const { subject, dir } = it
    const truth = openNpy(openFile(join(subjects[0].path, 'truth', 'positions.npy')))
    const positions = readSubjectArray(dir, 'positions.npy')!
    expect(positions.shape).toEqual(truth.arrays[0].shape)
    const expected = truth.arrays[0].read().data as Float32Array
    ;(positions.data as Float32Array).forEach((mm, i) => expect(Math.abs(mm - expected[i])).toBeLessThan(1e-3))
    truth.close()
    // each trial by what was shown: the webdataset groups trials by image, the others keep their order
    const shown = [...subject.trials.stimulus].map((s, t) => `${subject.stimuli.ids[s]} ${subject.trials.part[t]}`)
    loaded.push({ ...it, layout, shown, rows: rowsOf(subject) })
  }
  const [tars, hdf5, nsd] = ['webdataset', 'hdf5', 'nsd'].map((layout) => loaded.find((it) => it.layout === layout)!)
  expect(hdf5.shown).toEqual(nsd.shown)
  expect([...tars.shown].sort()).toEqual([...hdf5.shown].sort())
  expect([...hdf5.subject.trials.run]).toEqual([...nsd.subject.trials.run])
  expect(tars.manifest.rois).toEqual(nsd.manifest.rois)
  expect(nsd.manifest.rois.map(({ name }) => name)).toContain('V1v')
  expect(hdf5.manifest.checks.filter((c) => !c.ok && c.level !== 'note').map((c) => c.code)).toEqual(['leakage.run'])

  // int16 storage rounds to 1/300 percent, which a small SD magnifies; the other layouts hold z-scores of unrounded betas
  const scored = zScored(nsd.rows, nsd.subject.trials)
  let worst = 0
  scored.forEach((row, t) =>
    row.forEach((z, v) => (worst = Math.max(worst, Math.abs(z - hdf5.rows[t][v]) / (1 + Math.abs(z))))),
  )
  expect(worst).toBeLessThan(0.03)
  for (const { subject } of loaded) subject.close()
})
