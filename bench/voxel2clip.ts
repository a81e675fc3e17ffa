/** One voxel2clip training step of ours, timed: `node bench/voxel2clip.ts medium|full [steps] [batch]`. Prints one JSON line. */
import { readFileSync } from 'node:fs'
import { loadBackend } from '../src-main/engine/backend.ts'
import { BrainNetwork } from '../src-main/models/brainNetwork.ts'
import { Parameters } from '../src-main/nn/parameters.ts'
import { Random } from '../src-main/nn/random.ts'
import { parseTraining } from '../src-main/training/fields.ts'
import { networkConfig } from '../src-main/training/decoder.ts'
import { TrainingPlan } from '../src-main/training/plan.ts'
import { Trainer } from '../src-main/training/trainer.ts'

const sizes = {
  tiny: { voxels: 400, hidden: 256, tokens: 17, width: 64 },
  medium: { voxels: 4000, hidden: 1024, tokens: 65, width: 256 },
  full: { voxels: 15_724, hidden: 4096, tokens: 257, width: 768 },
} as const
const WARMUP = 2

/** A field of /proc/self/status in MB, e.g. VmHWM, the peak resident memory. */
const statusMb = (field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024

const [size = 'medium', steps = '5', batch = '32'] = process.argv.slice(2)
const { voxels: voxelCount, hidden, tokens, width } = sizes[size as keyof typeof sizes]
const items = Number(batch)
const parsed = parseTraining({ hidden, tokens, width, batchSize: items, epochs: 240, regressionWeight: 1 })
if (!parsed.success) throw new Error(parsed.issues[0].message)
const config = parsed.output

const backend = await loadBackend()
const loaded = statusMb('VmRSS')
const random = new Random(0)
const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())
const parameters = new Parameters()
const model = new BrainNetwork(parameters, networkConfig(config, voxelCount))
parameters.initialise(random)
const data = {
  items,
  repeats: 1,
  voxelCount,
  voxels: normal(items * voxelCount),
  targets: normal(items * tokens * width),
}
const trainer = new Trainer(model, parameters, new TrainingPlan(config, items, 1, random), config, random)

const times: number[] = []
let loss = 0
for (let i = 0; i < WARMUP + Number(steps); i++) {
  const start = performance.now()
  loss = trainer.step(data).loss
  times.push(performance.now() - start)
}
const sorted = times.slice(WARMUP).sort((a, b) => a - b)
const half = sorted.length / 2
const ms = (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2
console.log(
  JSON.stringify({
    ms,
    peak_mb: statusMb('VmHWM') - loaded,
    loaded_mb: loaded,
    parameters: parameters.count,
    loss,
    version: backend.tensorflowVersion,
    threads: backend.threads,
    times: times.map(Math.round),
  }),
)
