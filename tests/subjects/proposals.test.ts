import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeImage } from '../../src-main/formats/images.ts'
import { encodeNpy } from '../../src-main/formats/npy.ts'
import { inspectPaths } from '../../src-main/subjects/importer.ts'
import { proposeDatasets } from '../../src-main/subjects/proposals.ts'
import { simulate } from '../../src-main/subjects/simulator/simulate.ts'
import { readSubjectArray } from '../../src-main/subjects/subject.ts'
import { array, check, figures, load, put, quietly, temporaryFolder, writeSmallStudy } from './support.ts'

/** A complete small MATLAB study in its own folder. */
function study(folder: string, name: string): string {
  const { path } = writeSmallStudy(folder, { train: [0, 1, 2, 0], test: [3, 1], V: 5, side: 8, figures: figures(4, 8) })
  const renamed = join(folder, name)
  put(renamed, readFileSync(path))
  rmSync(path)
  return renamed
}

describe('what is proposed for what was dropped', () => {
  it('one study: layout, counts and pictures, before anything is imported', async () => {
    const [proposal, ...others] = await proposeDatasets([study(temporaryFolder(), 'miya.mat')])
    expect(others).toEqual([])
    expect(proposal.recognised).toMatchObject({
      layout: 'small-study',
      name: 'miya',
      trialCount: 6,
      stimulusCount: 4,
      voxelCount: 5,
      image: { height: 8, width: 8, channels: 1 },
    })
    expect(proposal.problem).toBeUndefined()
    expect(proposal.arrays.map(({ name }) => name).sort()).toEqual(['fmriTest', 'fmriTrn', 'stimTest', 'stimTrn'])
    expect(proposal.samples).toHaveLength(4)
    // 8 x 8 enlarged by a whole factor: every pixel is a block of one value.
    const picture = await decodeImage(Buffer.from(proposal.samples[0], 'base64'), 'sample')
    expect([picture.width, picture.height]).toEqual([72, 72])
    for (let i = 0; i < 72 * 72; i++) {
      const corner = (Math.floor(Math.floor(i / 72) / 9) * 9 * 72 + Math.floor((i % 72) / 9) * 9) * picture.channels
      expect(picture.data[i * picture.channels]).toBe(picture.data[corner])
    }
  })

  it('two studies and a file that is none become two proposals and one with its reason', async () => {
    const folder = temporaryFolder()
    const [a, b] = [study(folder, 'a.mat'), study(folder, 'b.mat')]
    const notes = put(join(folder, 'notes.docx'), 'PK no, only words')
    const proposals = await proposeDatasets([a, b, notes])
    expect(proposals.map(({ recognised }) => recognised?.name)).toEqual(['a', 'b', undefined])
    expect(proposals[2].problem).toMatchObject({ found: '1 unknown file' })
    expect(proposals[2].files).toMatchObject([{ name: 'notes.docx', words: 'not a format that we read' }])
  })

  it('files that are nothing alone go with the one dataset, and are named as unused', async () => {
    const folder = temporaryFolder()
    const paths = [study(folder, 'a.mat'), put(join(folder, 'extra.npy'), encodeNpy(array('float32', [2], [1, 2])))]
    const [proposal, ...others] = await proposeDatasets(paths)
    expect(others).toEqual([])
    expect(proposal.paths).toEqual(paths)
    const { checks } = await inspectPaths(paths, { map: {} }, quietly())
    expect(check(checks, 'files.unused')).toMatchObject({
      level: 'note',
      ok: false,
      found: '1 of 2 files unused: extra.npy (npy array)',
    })
    expect(check((await inspectPaths([paths[0]], { map: {} }, quietly())).checks, 'files.unused').ok).toBe(true)
  })

  it('unknown arrays are listed for a mapping; arrays of one name by their file', async () => {
    const folder = temporaryFolder()
    for (const name of ['one', 'two'])
      put(join(folder, `${name}.npy`), encodeNpy(array('float32', [2, 3], [1, 2, 3, 4, 5, 6])))
    const [proposal] = await proposeDatasets([folder])
    expect(proposal.recognised).toBeUndefined()
    expect(proposal.problem?.expected).toMatch(/a dataset in one of the layouts/)
    expect(proposal.arrays).toMatchObject([
      { name: 'one', file: 'one.npy', dtype: 'float32', shape: [2, 3] },
      { name: 'two', file: 'two.npy' },
    ])
  })

  it('a damaged file is named with what is wrong', async () => {
    const whole = readFileSync(study(temporaryFolder(), 'a.mat'))
    const cut = put(join(temporaryFolder(), 'cut.mat'), whole.subarray(0, whole.length - 200))
    const [proposal] = await proposeDatasets([cut])
    expect(proposal.recognised).toBeUndefined()
    expect(proposal.problem?.kind).toBe('format')
    expect(proposal.files[0].words).toMatch(/^damaged: /)
  })
})

describe('several simulated subjects', () => {
  it.each(['webdataset', 'nsd'] as const)('in one folder (%s) are told apart', async (layout) => {
    const out = join(temporaryFolder(), 'both')
    await simulate({ out, subjects: 2, images: 12, layout, seed: 3, imageSize: 32 }, quietly())
    const proposals = await proposeDatasets([out])
    expect(proposals.map(({ recognised }) => recognised?.name)).toEqual(['subj01', 'subj02'])
    expect(proposals.map(({ paths }) => paths)).toEqual([[join(out, 'subj01')], [join(out, 'subj02')]])
    const notes = put(join(temporaryFolder(), 'notes.docx'), 'only words')
    const beside = await proposeDatasets([notes, out])
    expect(beside.map(({ recognised }) => recognised?.name)).toEqual(['subj01', 'subj02', undefined])
    expect(beside[2].problem?.where).toBe('notes.docx')
  })

  it('given as one dataset take each only its own betas and masks', async () => {
    const out = join(temporaryFolder(), 'both')
    await simulate({ out, subjects: 2, images: 12, layout: 'nsd', seed: 3, imageSize: 32 }, quietly())
    const own = await load([join(out, 'subj02')])
    const asked = await load([out], ['subject=2'])
    expect(asked.manifest.rois).toEqual(own.manifest.rois)
    expect(readSubjectArray(asked.dir, 'rois.npy')).toEqual(readSubjectArray(own.dir, 'rois.npy'))
    expect(asked.manifest.trialCount).toBe(own.manifest.trialCount)
    expect([...asked.subject.readVoxels([0, 5])]).toEqual([...own.subject.readVoxels([0, 5])])
    expect(check(asked.manifest.checks, 'files.unused').found).not.toMatch(/subj01/)
  })
})
