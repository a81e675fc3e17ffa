import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { openWeights } from '../../src-main/formats/weights.ts'
import { Parameters } from '../../src-main/nn/parameters.ts'
import { Random } from '../../src-main/nn/random.ts'
import { saveModel } from '../../src-main/nn/stateFile.ts'
import { createHighLevel } from '../../src-main/training/highLevel.ts'
import type { HighLevelConfig } from '../../src-main/training/highLevel.ts'
import { convertCheckpoint } from '../../src-main/training/published/convert.ts'
import { saveModelConfig } from '../../src-main/training/published/modelConfig.ts'

const folder = mkdtempSync(join(tmpdir(), 'pytorch-'))
afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(() => loadBackend())

const text = readFileSync(new URL('../../docs/checkpoints.md', import.meta.url), 'utf8')
const [, example] = /```python\n([^]*?)```/.exec(text)!

const python = process.env.MINDEYE_PYTHON ?? 'python3'
const probe = spawnSync(python, ['-c', 'import torch, safetensors'], { encoding: 'utf8' })
const reason = probe.error?.message ?? probe.stderr.trim().split('\n').at(-1)
if (probe.status !== 0) console.log(`skipped: ${python} has no torch and safetensors (${reason})`)

/** Outputs of the example's network in PyTorch for x, an outer list per row. */
function runExample(inside: string, x: number[][]): { backbone: number[][]; projected?: number[][][] } {
  const here = example.replace('"lab/runs/RUN/folds/0"', JSON.stringify(inside))
  expect(here).not.toBe(example)
  const use = `
model.eval()
with torch.no_grad():
    x = model["lin0"](torch.tensor(${JSON.stringify(x)}))
    for block in model["mlp"]: x = block(x) + x
    x = model["lin1"](x)
    out = {"backbone": x.tolist()}
    if p: out["projected"] = model["projector"](x.reshape(len(x), -1, d)).tolist()
print(json.dumps(out))`
  return JSON.parse(execFileSync(python, ['-c', here + use], { encoding: 'utf8' })) as ReturnType<typeof runExample>
}

const none = { dropoutFirst: 0, dropoutBlocks: 0 }
const sizes = { hidden: 12, blocks: 2, tokens: 3, width: 8, ...none }
const small = { ...sizes, projectorHidden: 10, prior: false, priorDepth: 1, priorHeads: 2, priorHeadDim: 4 }
const input = (voxels: number) => [0, 1].map((row) => Array.from({ length: voxels }, (_, i) => Math.sin(row * 10 + i)))

/** The same by our network with the weights of the file. */
function ours(path: string, config: HighLevelConfig, x: number[][]) {
  const parameters = new Parameters()
  const { brain } = createHighLevel(parameters, config, x[0].length)
  parameters.load(openWeights(path).arrays, path)
  const out = brain.forward(tf.tensor2d(x))
  const read = { backbone: out.backbone.arraySync(), projected: out.projected?.arraySync() }
  parameters.dispose()
  return read
}

function expectEqual(found: unknown, expected: unknown): void {
  const [a, b] = [found, expected].map((value) => [value].flat(9) as number[])
  expect(a.length).toBe(b.length)
  expect(Math.max(...a.map((x, i) => Math.abs(x - b[i])))).toBeLessThan(1e-5)
}

it('the example has ten lines', () => expect(example.trim().split('\n').length).toBe(10))

describe.skipIf(probe.status !== 0)('the example of docs/checkpoints.md computes in PyTorch what we compute', () => {
  it.each([
    ['a run without the prior', small],
    ['a run with the prior', { ...small, prior: true }],
  ])('%s', (name, config) => {
    const run = join(mkdtempSync(join(folder, 'run-')))
    const parameters = new Parameters()
    createHighLevel(parameters, config, 9)
    parameters.initialise(new Random(name.length))
    saveModel(join(run, 'model.safetensors'), parameters)
    saveModelConfig(run, config, 9)
    const found = runExample(run, input(9))
    const expected = ours(join(run, 'model.safetensors'), config, input(9))
    expectEqual(found.backbone, expected.backbone)
    expectEqual(found.projected, expected.projected)
    parameters.dispose()
  })

  it('an official checkpoint, converted', async () => {
    const path = new URL('../fixtures/checkpoints/last_zip/last.pth', import.meta.url).pathname
    const options = { signal: new AbortController().signal, progress: () => {} }
    const out = join(folder, 'converted')
    const { weights, config } = await convertCheckpoint({ path, out, dtype: 'keep' }, options)
    const read = { ...none, ...(JSON.parse(readFileSync(config, 'utf8')) as object) } as HighLevelConfig
    const found = runExample(out, input(11))
    expectEqual(found.backbone, ours(weights, read, input(11)).backbone)
    expect(found.projected).toBeUndefined()
  })
})
