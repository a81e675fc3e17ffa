/**
 * What set-up has done is written to one stamp in node_modules; while its key holds there is nothing to do.
 * Only quick file-system calls here: this runs before every script.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const TENSORFLOW_VERSION = '2.21.0'

export const root = fileURLToPath(new URL('../../', import.meta.url))
export const modules = join(root, 'node_modules')
export const nodeBinary = join(modules, '.bin', 'node')
export const tfjsNode = join(modules, '@tensorflow', 'tfjs-node-gpu')
export const bindingFile = join(tfjsNode, 'lib', 'napi-v8', 'tfjs_binding.node')
const stampFile = join(modules, '.mindeye-setup.json')

/** Hours after which a failed staging of TensorFlow is tried again by itself. */
const RETRY_HOURS = 1

/** Where libtensorflow is kept between clones. */
export function cacheDir() {
  const { MINDEYE_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  if (MINDEYE_CACHE) return MINDEYE_CACHE
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, 'mindeye-workstation')
  if (process.platform === 'win32' && LOCALAPPDATA) return join(LOCALAPPDATA, 'mindeye-workstation', 'cache')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'mindeye-workstation')
  return join(homedir(), '.cache', 'mindeye-workstation')
}

/** The first of the named programs that is on the PATH, as a full path. */
export function which(...names) {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  for (const name of names)
    for (const dir of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(dir, name + suffix)
      if (dir && existsSync(path)) return path
    }
}

function nvidiaDriver() {
  return (
    existsSync('/proc/driver/nvidia/version') || existsSync('/usr/lib/wsl/lib/libcuda.so.1') || !!which('nvidia-smi')
  )
}

/** Which build of TensorFlow belongs here: 'cpu', 'cuda' or 'none'. `MINDEYE_TENSORFLOW` overrides. */
export function wantedBuild() {
  const asked = process.env.MINDEYE_TENSORFLOW
  if (asked && !['cpu', 'cuda', 'none'].includes(asked))
    throw new Error(`MINDEYE_TENSORFLOW: expected cpu, cuda or none, found '${asked}'`)
  return asked || (nvidiaDriver() ? 'cuda' : 'cpu')
}

/** Folder of one build in the cache. A home folder may be shared between kinds of machines. */
export function entryOf(cache, version, build) {
  const machine = `${process.platform}-${process.arch}`
  return join(cache, `tensorflow-${version}-${build}${machine === 'linux-x64' ? '' : `-${machine}`}`)
}

export const findPython = () => which('python3', 'python')
export const findCompiler = () => which(...(process.env.CXX ? [process.env.CXX] : []), 'g++', 'c++', 'clang++')

function key() {
  const hash = createHash('sha256')
  for (const name of ['package-lock.json', 'package.json']) hash.update(readFileSync(join(root, name)))
  hash.update([TENSORFLOW_VERSION, wantedBuild(), process.platform, process.arch].join())
  return hash.digest('hex')
}

/** A build could not be staged for want of tools: once they are there it is worth another try. */
const tools = () => [findPython(), findCompiler()].join()

export function readStamp() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'))
  } catch {
    return undefined
  }
}

export function isCurrent(stamp) {
  if (!stamp || stamp.key !== key() || !existsSync(nodeBinary)) return false
  if (stamp.tensorflow) return existsSync(join(tfjsNode, 'deps', 'lib')) && existsSync(bindingFile)
  return stamp.tools === tools() && Date.now() - stamp.time < RETRY_HOURS * 3600e3
}

/** @param {{ tensorflow: string | null, reason?: string }} staged the cache entry in use, or null and why there is none */
export function writeStamp(staged) {
  const temporary = `${stampFile}.${process.pid}`
  writeFileSync(temporary, JSON.stringify({ key: key(), tools: tools(), time: Date.now(), ...staged }, null, 2))
  renameSync(temporary, stampFile)
}
