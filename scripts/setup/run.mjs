/** Set-up proper: packages, Node 24, TensorFlow, each only when it is not there yet. */
import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { withLock } from './lock.mjs'
import { installNode, installPackages } from './packages.mjs'
import { say } from './shell.mjs'
import { cacheDir, isCurrent, readStamp, root, writeStamp } from './stamp.mjs'
import { stageTensorFlow } from './tensorflow.mjs'

/** Throws where nothing can run; a missing TensorFlow is not that, since everything also runs on the slow backend. */
export async function setUp(again) {
  const cache = writableCache()
  const lock = join(cache, `lock-checkout-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`)
  await withLock(lock, 'works in this folder', async () => {
    if (!again && isCurrent(readStamp())) return // the one we waited for has done it
    await installPackages()
    await installNode()
    writeStamp(await stageTensorFlow(cache, again))
  })
}

function writableCache() {
  const dir = cacheDir()
  try {
    mkdirSync(dir, { recursive: true })
    accessSync(dir, constants.W_OK)
    return dir
  } catch {
    const other = join(tmpdir(), `mindeye-workstation-${userInfo().username}`)
    say(`cannot write to ${dir}; what is downloaded goes to ${other}`)
    mkdirSync(other, { recursive: true })
    return other
  }
}
