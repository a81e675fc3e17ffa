import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'

const require = createRequire(import.meta.url)

/** Loads the backend in a process of its own, multiplies two matrices through a separate import of tfjs-core, prints both. */
function multiplyInChild(env: Record<string, string>): { info: Record<string, unknown>; current: string; c: number[] } {
  const script = `
    const { loadBackend } = await import('./src-main/engine/backend.ts')
    const info = await loadBackend()
    const tf = await import('@tensorflow/tfjs-core')
    const c = Array.from(tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5, 6], [7, 8]])).dataSync())
    console.log(JSON.stringify({ info, current: tf.getBackend(), c }))`
  const out = execFileSync('node_modules/.bin/node', ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return JSON.parse(out) as ReturnType<typeof multiplyInChild>
}

describe('backend', () => {
  it('computes on the plain backend when asked, and says that it is slow and why', () => {
    const { info, current, c } = multiplyInChild({ MINDEYE_BACKEND: 'cpu' })
    expect(current).toBe('cpu')
    expect(c).toEqual([19, 22, 43, 50])
    expect(info).toMatchObject({ name: 'cpu', gpu: false, slow: true })
    expect(info.reason).toContain('MINDEYE_BACKEND')
  })

  it('computes on TensorFlow, seen by every import of tfjs-core; or says why not', async () => {
    const info = await loadBackend()
    const c = tf.matMul(
      tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
      tf.tensor2d([
        [5, 6],
        [7, 8],
      ]),
    )
    expect(Array.from(c.dataSync())).toEqual([19, 22, 43, 50])
    expect(tf.getBackend()).toBe(info.name)
    if (info.name === 'tensorflow') {
      expect(info.tensorflowVersion).toMatch(/^\d+\.\d+\.\d+/)
      expect(info).toMatchObject({ slow: false, deterministic: true })
    } else {
      expect(info.slow).toBe(true)
      expect(info.reason).not.toBe('')
    }
  })

  it('gives both backends the same product', async () => {
    await loadBackend()
    const a = tf.randomNormal([33, 65], 0, 1, 'float32', 1) as tf.Tensor2D
    const b = tf.randomNormal([65, 17], 0, 1, 'float32', 2) as tf.Tensor2D
    const [A, B, product] = [a.dataSync(), b.dataSync(), tf.matMul(a, b).dataSync()]
    let worst = 0
    for (let i = 0; i < 33; i++)
      for (let j = 0; j < 17; j++) {
        let sum = 0
        for (let k = 0; k < 65; k++) sum += A[i * 65 + k] * B[k * 17 + j]
        worst = Math.max(worst, Math.abs(sum - product[i * 17 + j]))
      }
    expect(worst).toBeLessThan(2e-5)
  })

  it('loads once per process', async () => {
    expect(await loadBackend()).toBe(await loadBackend())
  })

  it('still needs the shim: tfjs-node calls the functions that Node removed', () => {
    const path = require.resolve('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js')
    const source = readFileSync(path, 'utf8')
    const calls = /util_1\.(isNullOrUndefined|isArray)\)?\(/.test(source)
    expect(calls, 'a release without these calls: delete restoreRemovedUtilFunctions').toBe(true)
    // Asked of a fresh process, since the shim is in force in this one.
    const present = execFileSync('node_modules/.bin/node', ['-p', 'typeof require("node:util").isNullOrUndefined'], {
      encoding: 'utf8',
    })
    expect(present.trim(), `Node ${process.version} has the function again: delete the shim`).toBe('undefined')
  })
})
