/** Puts a libtensorflow and a binding that work together under tfjs-node-gpu, out of the per-user cache. */
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { withLock } from './lock.mjs'
import { run, say } from './shell.mjs'
import { bindingFile, entryOf, nodeBinary, root, TENSORFLOW_VERSION, tfjsNode, wantedBuild } from './stamp.mjs'
import { fillFromVendor, vendorVersion } from './vendor.mjs'
import { compileBinding, fillFromWheel, missingForWheel } from './wheel.mjs'

/**
 * @param {boolean} again replace what the cache holds if it does not work
 * @returns {Promise<{ tensorflow: string | null, reason?: string }>} the cache entry in use, or why there is none; never
 *   throws for want of TensorFlow, since everything also runs (slowly) without
 */
export async function stageTensorFlow(cache, again) {
  const build = wantedBuild()
  if (build === 'none') {
    unlink()
    return fallBack('MINDEYE_TENSORFLOW=none asks for it', [])
  }
  return withLock(join(cache, 'lock-tensorflow'), 'stages TensorFlow', async () => {
    for (const name of readdirSync(cache))
      if (name.startsWith('tmp-')) rmSync(join(cache, name), { recursive: true, force: true }) // of a killed set-up
    const routes = [
      { entry: entryOf(cache, TENSORFLOW_VERSION, build), fill: fillWheel },
      { entry: entryOf(cache, `${vendorVersion()}-vendor`, build), fill: fillFromVendor },
    ]
    const failures = []
    for (const { entry, fill } of routes) {
      const file = join(entry, `binding-tfjs${packageVersion()}-napi8`, 'tfjs_binding.node')
      const stage = async () => {
        if (!existsSync(join(entry, 'deps', 'lib')) || !existsSync(file)) await fill(entry, build, file)
        link(entry, file)
        await verify(build)
        return { tensorflow: entry }
      }
      try {
        const cached = existsSync(entry)
        return await stage().catch((error) => {
          if (!again || !cached) throw error
          say(`what the cache holds does not work (${error.message}); fetching it again`)
          rmSync(entry, { recursive: true, force: true })
          return stage()
        })
      } catch (error) {
        unlink() // a library that crashes on loading would take every engine process with it
        failures.push(error)
      }
    }
    return fallBack(failures[0].message, failures)
  })
}

const packageVersion = () => JSON.parse(readFileSync(join(tfjsNode, 'package.json'), 'utf8')).version

class MissingTools extends Error {
  constructor(missing) {
    super(`${missing.map(([what]) => what).join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing`)
    this.missing = missing
  }
}

async function fillWheel(entry, build, file) {
  const missing = await missingForWheel()
  if (missing.length) throw new MissingTools(missing)
  if (!existsSync(join(entry, 'deps', 'lib'))) await fillFromWheel(entry, build)
  if (!existsSync(file)) await compileBinding(entry, file)
}

/** The library stays in the cache and is linked; the binding is copied, because it finds the library relative to itself. */
function link(entry, file) {
  const deps = join(tfjsNode, 'deps')
  const target = join(entry, 'deps')
  if (linkTarget(deps) !== target) {
    rmSync(deps, { recursive: true, force: true })
    symlinkSync(target, deps, process.platform === 'win32' ? 'junction' : 'dir')
  }
  if (existsSync(bindingFile) && readFileSync(bindingFile).equals(readFileSync(file))) return
  mkdirSync(dirname(bindingFile), { recursive: true })
  // Renamed into place: a running process may have the old one mapped.
  const temporary = `${bindingFile}.${process.pid}`
  copyFileSync(file, temporary)
  renameSync(temporary, bindingFile)
}

function linkTarget(path) {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined
  } catch {
    return undefined
  }
}

function unlink() {
  rmSync(bindingFile, { force: true })
  rmSync(join(tfjsNode, 'deps'), { recursive: true, force: true })
}

/** Loads what was staged on Node 24 in a process of its own and lets it multiply two matrices. */
async function verify(build) {
  const output = await run(nodeBinary, [join(root, 'src-main', 'engine', 'kernelCheck.ts')], { cwd: root })
  const { backend, correct } = JSON.parse(output.trim().split('\n').at(-1))
  if (backend.name !== 'tensorflow') throw new Error(`TensorFlow does not load: ${backend.reason}`)
  if (!correct) throw new Error('TensorFlow multiplies two matrices to a wrong product')
  say(`TensorFlow ${backend.tensorflowVersion} is ready on ${backend.device}`)
  if (build === 'cuda' && !backend.gpu)
    say('TensorFlow sees no graphics card and computes on the CPU; `npm run -s mindeye -- doctor` says more')
}

/** @param {Error[]} failures in the order of the routes */
function fallBack(reason, failures) {
  say(
    'TensorFlow could not be staged. Everything runs on the plain JavaScript backend instead, a few hundred times slower.',
  )
  for (const error of failures) {
    if (error instanceof MissingTools) {
      for (const [what, fix] of error.missing) say(`  missing: ${what}. Mend: ${fix}`)
    } else say(`  ${error.message.replaceAll('\n', '\n    ')}`)
  }
  if (failures.length)
    say('  Then run the same command again; TensorFlow comes from the Python package index, else from its vendor.')
  return { tensorflow: null, reason: reason.split('\n')[0] }
}
