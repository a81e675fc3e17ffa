/**
 * libtensorflow out of TensorFlow's Python wheel, and tfjs-node's binding compiled against it.
 * The wheel holds the C library under the names of the C++ one; the tfjs binding needs its C headers only.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, say, showProgress, withTemporary } from './shell.mjs'
import { findCompiler, findPython, modules, TENSORFLOW_VERSION, tfjsNode } from './stamp.mjs'

const unpackScript = fileURLToPath(new URL('unpackWheel.py', import.meta.url))

/** Systems whose wheel has a usable C library. Run for real: linux-x64. */
const SYSTEMS = {
  'linux-x64': {
    packages: { cpu: 'tensorflow-cpu', cuda: 'tensorflow' },
    tags: ['manylinux_2_28', 'manylinux_2_27', 'manylinux_2_17', 'manylinux2014'].map((tag) => `${tag}_x86_64`),
    libraries: ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'],
  },
  'linux-arm64': {
    packages: { cpu: 'tensorflow' },
    tags: ['manylinux_2_28', 'manylinux_2_27', 'manylinux_2_17', 'manylinux2014'].map((tag) => `${tag}_aarch64`),
    libraries: ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'],
  },
  'darwin-arm64': {
    packages: { cpu: 'tensorflow' },
    tags: ['macosx_12_0_arm64'],
    libraries: ['libtensorflow_cc.2.dylib', 'libtensorflow_framework.2.dylib'],
  },
}
const system = SYSTEMS[`${process.platform}-${process.arch}`]

const HEADERS = ['tensorflow/c', 'tsl/platform', 'xla/tsl/c', 'xla/tsl/platform']
const HEADER_RULES = [
  ...HEADERS.map((dir) => `tensorflow/include/${dir}/*.h=deps/include/${dir}`),
  ...['ctstring', 'cord'].map(
    (name) => `tensorflow/include/tensorflow/core/platform/${name}*.h=deps/include/tensorflow/core/platform`,
  ),
]

/** What this route needs and does not find: [what, how to get it] pairs. */
export async function missingForWheel() {
  const missing = await missingForDownload()
  if (system && !findCompiler()) missing.push(['a C++17 compiler (g++ or clang++)', apt('g++')])
  return missing
}

const apt = (names) => (process.platform === 'darwin' ? 'xcode-select --install' : `sudo apt-get install ${names}`)

/** Of these, what the library alone needs, without the binding. */
export async function missingForDownload() {
  const missing = []
  if (!system)
    return [[`a TensorFlow wheel with a C library for ${process.platform}-${process.arch}`, 'use Linux or a Mac']]
  const python = findPython()
  if (!python) missing.push(['python3 with pip', apt('python3 python3-pip')])
  else if (!(await works(python, ['-m', 'pip', '--version'])))
    missing.push(['pip (python3 -m pip)', apt('python3-pip')])
  return missing
}

/** Whether there is a build for graphics cards. */
export const hasCuda = () => system?.packages.cuda !== undefined

async function works(command, args) {
  try {
    await run(command, args)
    return true
  } catch {
    return false
  }
}

/**
 * Downloads and unpacks into `entry`/deps: lib, include and, for CUDA, nvidia (where the library looks for the CUDA
 * libraries at run time). Nothing is left in `entry` unless all of it is there.
 * @param {'cpu' | 'cuda'} build
 * @param {string} [kept] a folder for the downloads that outlives a failure: the next try goes on with what is missing
 */
export async function fillFromWheel(entry, build, kept) {
  const name = system.packages[build] ?? system.packages.cpu
  await withTemporary(dirname(entry), async (temporary) => {
    const downloads = join(kept ?? temporary, 'tensorflow')
    const unpacked = join(temporary, 'unpacked')
    mkdirSync(downloads, { recursive: true })
    mkdirSync(unpacked)
    await download(`TensorFlow ${TENSORFLOW_VERSION}`, downloads, [`${name}==${TENSORFLOW_VERSION}`])
    const [wheel] = wheels(downloads)
    say('unpacking the library')
    const libraries = system.libraries.map((file) => `tensorflow/${file}=deps/lib`)
    await extract(wheel, unpacked, [...libraries, ...HEADER_RULES])
    if (build === 'cuda' && system.packages.cuda) {
      const needs = await run(findPython(), [unpackScript, 'needs', wheel, 'and-cuda'])
      const cuda = join(kept ?? temporary, 'cuda')
      mkdirSync(cuda, { recursive: true })
      await download('CUDA libraries', cuda, needs.trim().split('\n'))
      for (const file of wheels(cuda)) {
        // Headers and static parts are not needed at run time.
        const parts = ['lib', 'bin', 'nvvm'].map((part) => `nvidia/*/${part}/*=deps/nvidia`)
        await extract(file, unpacked, parts)
      }
    }
    for (const file of system.libraries)
      if (!existsSync(join(unpacked, 'deps', 'lib', file))) throw new Error(`the wheel of ${name} holds no ${file}`)
    mkdirSync(entry, { recursive: true })
    renameSync(join(unpacked, 'deps'), join(entry, 'deps'))
  })
}

const wheels = (dir) =>
  readdirSync(dir)
    .filter((file) => file.endsWith('.whl'))
    .map((file) => join(dir, file))

const extract = (wheel, dest, rules) => run(findPython(), [unpackScript, 'extract', wheel, dest, ...rules])

/** One wheel at a time, so that those which are complete stay when a later one fails. */
async function download(label, dir, requirements) {
  for (const name of readdirSync(dir)) if (!name.endsWith('.whl')) rmSync(join(dir, name), { recursive: true }) // of a download that was killed
  for (const [i, requirement] of requirements.entries()) {
    const counted = requirements.length > 1 ? ` (${i + 1} of ${requirements.length})` : ''
    await downloadOne(`downloading ${label}${counted}`, dir, requirement)
  }
}

async function downloadOne(label, dir, requirement) {
  let size = 0 // once pip knows
  const progress = showProgress(
    () => label,
    dir,
    () => size,
  )
  try {
    // pip's own bar is for terminals only; its temporary files are put where we can see them grow.
    await run(
      findPython(),
      [
        ...['-u', '-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--no-cache-dir'],
        ...['--progress-bar', 'off', '--disable-pip-version-check'],
        ...['--python-version', '3.11', '--implementation', 'cp', '-d', dir],
        ...system.tags.flatMap((tag) => ['--platform', tag]),
        requirement,
      ],
      {
        env: { TMPDIR: dir },
        onText: (text) => {
          const [, value, unit] = /\(([\d.]+) (kB|MB|GB)\)/.exec(text) ?? []
          if (unit) size = Number(value) * { kB: 1e3, MB: 1e6, GB: 1e9 }[unit]
        },
      },
    )
  } finally {
    progress.stop()
  }
}

/** Compiles tfjs-node's Node-API binding against the library in `entry`, into `file`. ~10 s. */
export async function compileBinding(entry, file) {
  say('compiling the binding')
  const mac = process.platform === 'darwin'
  await withTemporary(dirname(entry), async (temporary) => {
    const output = join(temporary, 'tfjs_binding.node')
    const lib = join(entry, 'deps', 'lib')
    await run(
      findCompiler(),
      [
        ...['-O2', '-std=c++17', '-fPIC', '-DNAPI_VERSION=8'],
        ...(mac ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared']),
        `-I${join(modules, 'node-api-headers', 'include')}`,
        ...['-I.', `-I${join(entry, 'deps', 'include')}`, 'binding/tfjs_backend.cc', 'binding/tfjs_binding.cc'],
        ...['-o', output, ...system.libraries.map((library) => join(lib, library))],
        // Relative to the binding's place in node_modules, so that the cache may move.
        `-Wl,-rpath,${mac ? '@loader_path' : '$ORIGIN'}/../../deps/lib`,
      ],
      { cwd: tfjsNode },
    )
    mkdirSync(dirname(file), { recursive: true })
    renameSync(output, file)
  })
}
