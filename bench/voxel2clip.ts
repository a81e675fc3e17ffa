/** One voxel2clip training step, timed: forward, BiMixCo + squared error, backward, AdamW. See measure.ts for arguments. */
import { Parameters } from '../src-main/nn/parameters.ts'
import { Random } from '../src-main/nn/random.ts'
import { parseTraining } from '../src-main/training/fields.ts'
import { createHighLevel } from '../src-main/training/highLevel.ts'
import { TrainingPlan } from '../src-main/training/plan.ts'
import { fixedTargets } from '../src-main/training/targets.ts'
import { Trainer } from '../src-main/training/trainer.ts'
import { benchmark } from './measure.ts'

await benchmark({
  sizes: {
    tiny: { voxels: 400, hidden: 256, tokens: 17, width: 64 },
    medium: { voxels: 4000, hidden: 1024, tokens: 65, width: 256 },
    full: { voxels: 15_724, hidden: 4096, tokens: 257, width: 768 },
  },
  batch: 32,
  prepare({ voxels: voxelCount, hidden, tokens, width }, items) {
    const parsed = parseTraining({ hidden, tokens, width, batchSize: items, epochs: 240, regressionWeight: 1 })
    if (!parsed.success) throw new Error(parsed.issues[0].message)
    const config = parsed.output
    const random = new Random(0)
    const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())
    const parameters = new Parameters()
    const model = createHighLevel(parameters, config, voxelCount)
    parameters.initialise(random)
    const data = {
      items,
      repeats: 1,
      voxelCount,
      voxels: normal(items * voxelCount),
      targets: fixedTargets(normal(items * tokens * width), tokens * width),
    }
    const trainer = new Trainer(model, parameters, new TrainingPlan(config, items, 1, random), config, random)
    return { parameters: parameters.count, step: () => trainer.step(data).loss }
  },
})
