/** The locked npm packages, and Node 24 among them. */
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { run, say } from './shell.mjs'
import { modules, nodeBinary, root } from './stamp.mjs'

const NODE_MAJOR = 24

export async function installPackages() {
  if (isInstalled()) return
  say('installing the locked packages (a minute or two, about 900 MB on disk)')
  await npm(
    ['ci', '--loglevel=error'],
    'Check the network and the npm registry setting (`npm config get registry`), then run this again.',
  )
}

/** Install scripts are off (.npmrc), so the one package that needs its script, `node`, gets it here. */
export async function installNode() {
  if ((await nodeMajor()) >= NODE_MAJOR) return
  say(`fetching Node ${NODE_MAJOR} (this one is ${process.version})`)
  await npm(
    ['rebuild', 'node', '--ignore-scripts=false', '--loglevel=error'],
    'It comes from the npm registry: check the network.',
  )
  const major = await nodeMajor()
  if (!(major >= NODE_MAJOR))
    throw new Error(`${nodeBinary}: expected Node ${NODE_MAJOR}, found ${major || 'none that runs'}.`)
}

async function nodeMajor() {
  try {
    return Number((await run(nodeBinary, ['--version'])).match(/^v(\d+)/)[1])
  } catch {
    return 0
  }
}

/** True when every package of the lock file is there in its locked version (those for other systems may be missing). */
function isInstalled() {
  const hidden = join(modules, '.package-lock.json')
  if (!existsSync(hidden)) return false
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(hidden, 'utf8')).packages
  return Object.entries(locked).every(
    ([path, { version, optional }]) =>
      path === '' || (installed[path] ? installed[path].version === version : optional === true),
  )
}

async function npm(args, fix) {
  // Under `npm run` this is the very npm that runs us; elsewhere the one on the PATH.
  const self = process.env.npm_execpath
  const [command, first] = self && basename(self) === 'npm-cli.js' ? [process.execPath, [self]] : ['npm', []]
  try {
    await run(command, [...first, ...args], { cwd: root, show: true })
  } catch (error) {
    throw new Error(`npm ${args[0]} failed (${error.message.split('\n')[0]}). ${fix}`, { cause: error })
  }
}
