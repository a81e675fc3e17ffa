/** Checks each link between a matrix product and the hardware, and says how to mend what is broken. */
import { existsSync, readdirSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { layout } from '../base/layout.ts'
import { nodeBinary } from './channel.ts'
import { fetchedCuda, libraryEnvironment } from './cuda.ts'
import type { KernelCheck } from './kernelCheck.ts'
import { runChild } from './runChild.ts'

export interface Link {
  name: string
  ok: boolean
  detail: string
  /** What to do about it, when it is not ok. */
  fix?: string
  /** The action that mends it, where one does. */
  action?: 'gpu'
}

export interface Diagnosis {
  /** Whether TensorFlow loads and computes rightly. A missing graphics card, or one that cannot be used, does not count. */
  ok: boolean
  links: Link[]
}

const ENGINE_FIX =
  process.env.MINDEYE_BACKEND === 'cpu'
    ? 'Unset MINDEYE_BACKEND.'
    : layout.kind === 'package'
      ? 'Install MindEye again; `mindeye gpu --remove` forgets a CUDA build that was fetched.'
      : 'Run `node scripts/setup.mjs --again`; it says what it lacks.'
const MEMORY_GB = 2
const DISK_GB = 5
const KERNEL_TIMEOUT_MS = 180_000

/** Runs all checks; takes some seconds, since one of them measures a matrix product in a process of its own. */
export async function diagnose(): Promise<Diagnosis> {
  const driver = await checkDriver()
  const kernel = await runKernel()
  const engine = [checkLibrary(kernel), checkBinding(kernel), checkKernel(kernel)]
  return {
    ok: engine.every((link) => link.ok),
    links: [driver.link, checkCuda(driver, kernel), ...engine, checkMemory(), await checkDisk()],
  }
}

interface Driver {
  present: boolean
  link: Link
}

async function checkDriver(): Promise<Driver> {
  const name = 'NVIDIA driver'
  const query = '--query-gpu=name,driver_version,memory.total,compute_cap'
  const smi = await runChild('nvidia-smi', [query, '--format=csv,noheader'], 20_000)
  if (smi.missing)
    return { present: false, link: { name, ok: true, detail: 'no graphics card: computing on the processor' } }
  const found = smi.out.trim().replaceAll('\n', '; ')
  if (smi.death)
    return {
      present: true,
      link: {
        name,
        ok: false,
        detail: `nvidia-smi fails: ${found || smi.death}`,
        fix: 'After a driver update reboot; otherwise install the NVIDIA driver again. Until then the processor computes.',
      },
    }
  return { present: true, link: { name, ok: true, detail: found } }
}

function checkCuda(driver: Driver, kernel: Kernel): Link {
  const name = 'CUDA libraries'
  if (!driver.present) return { name, ok: true, detail: 'not needed without a graphics card' }
  const folder = join(fetchedCuda() ?? join(packageFolder(), 'deps'), 'nvidia')
  const parts = existsSync(folder) ? readdirSync(folder) : []
  const listed = parts.length ? parts.join(', ') : 'none beside libtensorflow'
  if (kernel.result?.backend.gpu) return { name, ok: true, detail: listed }
  const detail = `${listed}; TensorFlow does not see the graphics card`
  if (parts.length)
    return {
      name,
      ok: false,
      detail,
      fix: 'Update the NVIDIA driver to one that supports CUDA 12. Until then the processor computes.',
    }
  return {
    name,
    ok: false,
    detail,
    fix: 'Fetch the CUDA build, on the Compute page or by the command mindeye gpu; MINDEYE_TENSORFLOW must not be cpu.',
    action: 'gpu',
  }
}

function checkLibrary({ result, failure }: Kernel): Link {
  const name = 'libtensorflow'
  const folder = join(packageFolder(), 'deps', 'lib')
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.includes('tensorflow')) : []
  if (!files.length) return { name, ok: false, detail: `nothing in ${folder}`, fix: ENGINE_FIX }
  if (result?.backend.name === 'tensorflow') return { name, ok: true, detail: result.backend.tensorflowVersion }
  return {
    name,
    ok: false,
    detail: `${files.join(', ')} there, but not loaded: ${result?.backend.reason ?? failure}`,
    fix: ENGINE_FIX,
  }
}

function checkBinding({ result, failure }: Kernel): Link {
  const name = 'binding'
  const file = join(packageFolder(), 'lib', 'napi-v8', 'tfjs_binding.node')
  if (!existsSync(file)) return { name, ok: false, detail: `${file} is missing`, fix: ENGINE_FIX }
  if (result?.backend.name === 'tensorflow') return { name, ok: true, detail: 'loads on Node ' + process.versions.node }
  return {
    name,
    ok: false,
    detail: `does not load on Node ${process.versions.node}: ${result?.backend.reason ?? failure}`,
    fix: ENGINE_FIX,
  }
}

interface Kernel {
  result?: KernelCheck
  failure?: string
}

function checkKernel({ result, failure }: Kernel): Link {
  const name = 'kernel'
  if (!result) return { name, ok: false, detail: failure ?? 'gave no result', fix: ENGINE_FIX }
  const { backend, correct, gflops } = result
  const speed = gflops < 10 ? gflops.toFixed(1) : gflops.toFixed(0)
  const how = backend.gpu ? '' : `, ${backend.threads} thread${backend.threads > 1 ? 's' : ''}`
  const detail = `${speed} GFLOP/s in a float32 matrix product on ${backend.device}${how}`
  if (!correct) return { name, ok: false, detail: `wrong product on ${backend.device}`, fix: ENGINE_FIX }
  if (backend.slow) return { name, ok: false, detail: `${detail}, on the slow plain backend`, fix: ENGINE_FIX }
  return { name, ok: true, detail }
}

async function runKernel(): Promise<Kernel> {
  const env = { ...process.env, ...libraryEnvironment() }
  const child = await runChild(nodeBinary(), [layout.entry('kernelCheck'), '--speed'], KERNEL_TIMEOUT_MS, env)
  if (child.death) return { failure: child.death }
  const line = child.out.trim().split('\n').at(-1) ?? ''
  return { result: JSON.parse(line) as KernelCheck }
}

function checkMemory(): Link {
  const total = process.constrainedMemory() || totalmem()
  const free = process.availableMemory()
  const ok = free >= MEMORY_GB * 1e9
  return {
    name: 'memory',
    ok,
    detail: `${giga(free)} of ${giga(Math.min(total, totalmem()))} GB free`,
    ...(ok ? {} : { fix: `Close other programs: a small training needs ${MEMORY_GB} GB.` }),
  }
}

async function checkDisk(): Promise<Link> {
  const { bavail, bsize } = await statfs(process.cwd())
  const free = bavail * bsize
  const ok = free >= DISK_GB * 1e9
  return {
    name: 'disk',
    ok,
    detail: `${giga(free)} GB free in ${process.cwd()}`,
    ...(ok ? {} : { fix: `Free some space: caches and checkpoints of a small study take ${DISK_GB} GB.` }),
  }
}

const giga = (bytes: number): string => (bytes / 1e9).toFixed(1)

function packageFolder(): string {
  return join(layout.root, 'node_modules', '@tensorflow', 'tfjs-node-gpu')
}
