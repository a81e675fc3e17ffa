/**
 * A process of the app: `cuda.mjs BYTES` puts TensorFlow's CUDA build and NVIDIA's libraries into the user's cache, without compiler or
 * npm (the binding that came with the app serves this build, too). Needs so many free bytes, less what an earlier try has
 * downloaded. Says by messages how far it is and how it ended.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './lock.mjs'
import { cacheDir, entryOf, TENSORFLOW_VERSION } from './stamp.mjs'
import { fillFromWheel, hasCuda, missingForDownload } from './wheel.mjs'

process.on('disconnect', () => process.exit(1))
try {
  await stage()
  process.send({ end: 'done' })
} catch (error) {
  process.send({ end: 'failed', found: error.message, fix: error.fix })
}
process.disconnect()

async function stage() {
  const cache = cacheDir()
  mkdirSync(cache, { recursive: true })
  const entry = entryOf(cache, TENSORFLOW_VERSION, 'cuda')
  const downloads = join(cache, `download-${TENSORFLOW_VERSION}-cuda`)
  await withLock(join(cache, 'lock-tensorflow'), 'stages TensorFlow', async () => {
    for (const name of readdirSync(cache))
      if (name.startsWith('tmp-')) rmSync(join(cache, name), { recursive: true, force: true }) // of a killed set-up
    if (!existsSync(join(entry, 'deps', 'lib'))) {
      if (!hasCuda())
        throw failure(`no CUDA build for ${process.platform}-${process.arch}`, 'It exists for Linux on x64.')
      const missing = await missingForDownload()
      if (missing.length) throw failure(`no ${missing[0][0]}`, `Get it: ${missing[0][1]}`)
      checkDisk(cache, downloads)
      await fillFromWheel(entry, 'cuda', downloads)
    }
    rmSync(downloads, { recursive: true, force: true })
  })
}

function checkDisk(cache, downloads) {
  const { bavail, bsize } = statfsSync(cache)
  const needed = Math.max(Number(process.argv[2]) - sizeOf(downloads), 0)
  if (bavail * bsize >= needed) return
  const giga = (bytes) => (bytes / 1e9).toFixed(1)
  throw failure(
    `only ${giga(bavail * bsize)} GB free in ${cache}, of ${giga(needed)} GB needed`,
    'Free some space, or set MINDEYE_CACHE to a folder on a larger disk.',
  )
}

function sizeOf(folder) {
  if (!existsSync(folder)) return 0
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0)
}

function failure(message, fix) {
  return Object.assign(new Error(message), { fix })
}
