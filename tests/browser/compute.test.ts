import { writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { openWorkstation, seriousFindings, skipReason, temporaryFolder } from './support.ts'

describe.skipIf(skipReason ?? process.platform !== 'linux')('the Compute page', () => {
  afterAll(() => void vi.unstubAllEnvs())

  test('offers the CUDA build where a card is not used, and says what keeps it from being fetched', async () => {
    const bin = temporaryFolder()
    const answers = '*index*) echo "0, NVIDIA H100, 81559, 80123" ;; *) echo "NVIDIA H100, 550.54, 81559 MiB, 9.0" ;;'
    writeFileSync(join(bin, 'nvidia-smi'), `#!/bin/sh\ncase "$*" in ${answers} esac\n`, { mode: 0o755 })
    vi.stubEnv('PATH', `${bin}${delimiter}${process.env.PATH}`)
    vi.stubEnv('MINDEYE_CACHE', join(bin, 'cache'))
    vi.stubEnv('PIP_NO_INDEX', '1') // no package index to be reached
    vi.stubEnv('PIP_FIND_LINKS', '')
    const { page, close } = await openWorkstation({ place: 'compute' })
    const fetch = page.getByRole('button', { name: 'Fetch the CUDA build (3.4 GB)' })
    await fetch.waitFor({ timeout: 120_000 })
    await page.getByText('TensorFlow does not see the graphics card').waitFor()
    await fetch.click()
    const problem = page.getByRole('alert').filter({ hasText: 'the CUDA build of TensorFlow' })
    await problem.waitFor({ timeout: 60_000 })
    expect(await problem.textContent()).toMatch(/to fetch it from the Python package index/)
    expect(await problem.textContent()).toMatch(/what is downloaded is kept/)
    await fetch.waitFor() // to try again
    expect(await seriousFindings(page)).toEqual([])
    if (process.env.SHOT) await page.screenshot({ path: process.env.SHOT })
    await close()
  })
})
