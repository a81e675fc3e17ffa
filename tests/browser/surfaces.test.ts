import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { importPaths } from '../../src-main/subjects/importer.ts'
import { simulate } from '../../src-main/subjects/simulator/simulate.ts'
import { storedSurfaces } from '../../src-main/subjects/surfaces/stored.ts'
import { Workspace } from '../../src-main/workspace/index.ts'
import { quietly } from '../subjects/support.ts'
import { dropFiles, openWorkstation, seriousFindings, skipReason, temporaryFolder } from './support.ts'

describe.skipIf(skipReason)('Surfaces', () => {
  let cortex: string
  let workspace: string
  beforeAll(async () => {
    const folder = temporaryFolder()
    const out = join(folder, 'sim')
    await simulate({ out, subjects: 1, images: 12, layout: 'webdataset', seed: 4, imageSize: 48, cortex: 4 }, quietly())
    cortex = join(folder, 'cortex')
    cpSync(join(out, 'subj01', 'nsddata', 'freesurfer', 'subj01'), cortex, { recursive: true })
    rmSync(join(out, 'subj01', 'nsddata', 'freesurfer'), { recursive: true })
    workspace = join(folder, 'workspace')
    const made = Workspace.open(workspace, { create: true })
    const staging = made.subjects.stage('bare')
    await importPaths([join(out, 'subj01')], { id: 'bare', map: {} }, staging.folder, quietly())
    staging.commit()
    made.close()
  })

  it('are dropped, attached to the subject, and the voxels give way to the cortex at once', async () => {
    const { page, close } = await openWorkstation({ workspace, place: 'data' })
    await page.getByRole('navigation', { name: 'Subjects' }).getByText('bare').click()
    await page.getByText('No surfaces: the voxels are drawn in their places.').waitFor()
    const files = ['surf', 'label'].flatMap((folder) =>
      readdirSync(join(cortex, folder)).map((name) => ({ name, path: join(cortex, folder, name) })),
    )
    await dropFiles(page, files)
    const card = page.getByRole('article', { name: 'Surfaces of the cortex' })
    await card.getByText('Of both hemispheres: white, pial, inflated, flat; 6 parcellations').waitFor()
    expect(await seriousFindings(page)).toEqual([])
    await card.getByRole('button', { name: 'Attach' }).click()
    await page.getByText('left 2562 vertices (white, pial, inflated, flat)').waitFor()
    await page.getByText('Generated cortex, not a scan').waitFor()
    await page.getByRole('button', { name: 'Show bare' }).click()
    await page.getByRole('button', { name: 'Show bare' }).waitFor({ state: 'detached' })
    const { hemispheres, match } = storedSurfaces(join(workspace, 'subjects', 'bare'))!
    expect(hemispheres.right!.vertices).toBe(2562)
    expect(match!.voxels / match!.of).toBeGreaterThan(0.9)
    // What was uploaded for it is needed no more.
    await expect.poll(() => readdirSync(join(workspace, 'uploads')).filter((name) => !name.startsWith('.'))).toEqual([])
    await close()
  })
})
