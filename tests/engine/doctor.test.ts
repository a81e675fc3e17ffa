import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, afterEach, expect, it, vi } from 'vitest'
import { doctor } from '../../src-main/actions/doctor.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { diagnose, type Diagnosis } from '../../src-main/engine/doctor.ts'

const dir = mkdtempSync(join(tmpdir(), 'doctor-test-'))
afterAll(() => rmSync(dir, { recursive: true }))
afterEach(() => void vi.unstubAllEnvs())

const link = ({ links }: Diagnosis, name: string) => links.find((link) => link.name === name)!

it('checks every link, and agrees with the backend that loads', async () => {
  const diagnosis = await diagnose()
  expect(diagnosis.links.map((link) => link.name)).toEqual([
    'NVIDIA driver',
    'CUDA libraries',
    'libtensorflow',
    'binding',
    'kernel',
    'memory',
    'disk',
  ])
  const backend = await loadBackend()
  expect(diagnosis.ok).toBe(backend.name === 'tensorflow')
  expect(link(diagnosis, 'kernel').detail).toMatch(/^[\d.]+ GFLOP\/s/)
  expect(Number.parseFloat(link(diagnosis, 'kernel').detail)).toBeGreaterThan(0)
  for (const { ok, fix } of diagnosis.links) expect(Boolean(fix)).toBe(!ok)
})

it('calls the plain backend no working engine, ends with exit code 1 and says the fix', async () => {
  vi.stubEnv('MINDEYE_BACKEND', 'cpu')
  const diagnosis = await diagnose()
  expect(diagnosis.ok).toBe(false)
  expect(doctor.exitCode?.(diagnosis)).toBe(1)
  expect(link(diagnosis, 'kernel')).toMatchObject({ ok: false, fix: expect.stringContaining('.') as string })
  expect(doctor.format?.(diagnosis)).toMatch(/✗ kernel .*plain backend/)
})

it('survives a kernel that crashes and says so', async () => {
  const crash = join(dir, 'crash.cjs')
  writeFileSync(crash, `if (process.argv[1]?.endsWith('kernelCheck.ts')) process.kill(process.pid, 'SIGSEGV')`)
  vi.stubEnv('NODE_OPTIONS', `--require ${crash}`)
  const diagnosis = await diagnose()
  expect(diagnosis.ok).toBe(false)
  expect(link(diagnosis, 'kernel').detail).toContain('SIGSEGV')
  expect(link(diagnosis, 'binding').ok).toBe(false)
})

it('tells a driver that does not answer from a machine without a graphics card', async () => {
  writeFileSync(
    join(dir, 'nvidia-smi'),
    '#!/bin/sh\necho "Failed to initialize NVML: Driver/library version mismatch"\nexit 18\n',
    {
      mode: 0o755,
    },
  )
  vi.stubEnv('PATH', `${dir}${delimiter}${process.env.PATH}`)
  const driver = link(await diagnose(), 'NVIDIA driver')
  expect(driver.ok).toBe(false)
  expect(driver.detail).toContain('version mismatch')
  expect(driver.fix).toContain('reboot')
})
