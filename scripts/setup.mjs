/**
 * Makes a fresh clone runnable: the locked packages, Node 24, TensorFlow. Every npm script of ours starts with it, so it is
 * quick and silent when nothing has changed, and it writes to stderr only (stdout belongs to the command that follows).
 * `--again` checks everything anew and replaces a staged TensorFlow that does not work.
 */
import { isCurrent, readStamp } from './setup/stamp.mjs'

try {
  const again = process.argv.includes('--again')
  const stamp = readStamp()
  if (again || !isCurrent(stamp)) {
    const { setUp } = await import('./setup/run.mjs')
    await setUp(again)
  } else if (!stamp.tensorflow) process.stderr.write(`set-up: the slow plain backend computes: ${stamp.reason}\n`)
} catch (error) {
  process.stderr.write(`set-up: ${error.message}\n`)
  process.exitCode = 1
}
