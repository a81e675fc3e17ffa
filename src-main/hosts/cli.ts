import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

// Compiled modules are kept from one command to the next, which halves the start-up time; the child processes share them.
const { directory } = enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url)))
if (directory) process.env.NODE_COMPILE_CACHE ??= directory

// A reader that closes early (`mindeye runs | head -1`) has all it wants.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

const [{ main }, { actions }] = await Promise.all([import('./commandLine.ts'), import('../actions/index.ts')])
process.exitCode = await main(actions, process.argv.slice(2))
