/** Trains one part in this process: `part.ts NAME PACK CACHE`. `train.ts` starts it with what TensorFlow reads from the environment. */
import { join } from 'node:path'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { autoencoderTraining } from './autoencoder.ts'
import { classifierTraining } from './classifier.ts'
import { encoderTraining } from './encoder.ts'
import { decoderTraining } from './decoder.ts'
import { denoiserTraining } from './denoiser.ts'
import { latentsOf } from './latents.ts'
import { trainPart } from './trainPart.ts'
import type { PackPart } from './trainPart.ts'
import { trainingScenes } from './world.ts'

const [name, pack, cache] = process.argv.slice(2)
await loadBackend()
const scenes = await trainingScenes()
const makers: Record<string, () => PackPart> = {
  autoencoder: () => autoencoderTraining(scenes),
  encoder: () => encoderTraining(scenes),
  classifier: () => classifierTraining(scenes),
  decoder: () => decoderTraining(scenes, latentsOf(scenes, pack, cache), pack),
  denoiser: () => denoiserTraining(latentsOf(scenes, pack, cache)),
}
const part = makers[name]()
const { count } = part.parameters
console.log(`${name}: ${count.toLocaleString('en')} parameters`)
await trainPart(part, {
  checkpoint: join(cache, `${name}.training.safetensors`),
  seed: 1,
  secondsBetween: { checkpoints: 60, reports: 15 },
  report(steps, secondsLeft, terms) {
    const values = Object.entries(terms).map(([term, value]) => `${term} ${value.toPrecision(4)}`)
    const minutes = (secondsLeft / 60).toFixed(1)
    console.log(`${name}: step ${steps} of ${part.steps}, ${values.join(', ')}, ${minutes} min left`)
  },
})
part.write(pack)
