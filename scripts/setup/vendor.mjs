/** The vendor's own route: tfjs-node-gpu's install script downloads an older libtensorflow and a prebuilt binding. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { run, say, showProgress, withTemporary } from './shell.mjs'
import { modules, tfjsNode } from './stamp.mjs'

/** The version that the package is made for. */
export function vendorVersion() {
  const constants = readFileSync(join(tfjsNode, 'scripts', 'deps-constants.js'), 'utf8')
  return constants.match(/LIBTENSORFLOW_VERSION = '([\d.]+)'/)[1]
}

/**
 * Runs the install script on a copy of the package's small files and keeps what it fetched in `entry`.
 * @param {'cpu' | 'cuda'} build
 */
export async function fillFromVendor(entry, build, file) {
  say(`trying the vendor's prebuilt TensorFlow ${vendorVersion()}`)
  await withTemporary(dirname(entry), async (temporary) => {
    const copy = join(temporary, 'package')
    mkdirSync(copy)
    for (const name of ['package.json', 'scripts', 'binding', 'binding.gyp'])
      cpSync(join(tfjsNode, name), join(copy, name), { recursive: true })
    const progress = showProgress(
      () => 'downloading libtensorflow',
      copy,
      () => 0,
    )
    try {
      // The script ends with code 0 on some failures, so what counts is what it leaves behind.
      await run(process.execPath, ['scripts/install.js', build === 'cuda' ? 'gpu' : 'cpu', 'download'], {
        cwd: copy,
        timeout: 20 * 60_000,
        env: {
          NODE_PATH: [join(tfjsNode, 'node_modules'), modules].join(delimiter),
          PATH: [join(modules, '.bin'), process.env.PATH].join(delimiter),
        },
      })
    } catch (error) {
      const [, code] = error.message.match(/code: '(\w+)'/) ?? []
      throw new Error(`the vendor's prebuilt library could not be fetched (${code ?? error.message})`, { cause: error })
    } finally {
      progress.stop()
    }
    const binding = join(copy, 'lib', 'napi-v8', 'tfjs_binding.node')
    if (!existsSync(binding)) throw new Error("the vendor's install script left no binding")
    mkdirSync(dirname(file), { recursive: true })
    copyFileSync(binding, file)
    rmSync(join(entry, 'deps'), { recursive: true, force: true })
    renameSync(join(copy, 'deps'), join(entry, 'deps'))
  })
}
