/**
 * Makes the demo pack: `npm run pack:train -- [--out FOLDER] [--cache FOLDER] [--only PART,…]`. Each part has a checkpoint in the cache; killed and
 * started again, the training goes on and ends with the same weights. A part whose checkpoint is complete is only written anew; delete its
 * checkpoint to train it again.
 */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { layout } from '../../src-main/base/layout.ts'
import { engineMemory, nodeBinary } from '../../src-main/engine/channel.ts'
import { verifyPack } from '../../src-main/models/pack.ts'
import { cacheDir } from '../setup/stamp.mjs'
import { writeJson } from './writePart.ts'

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: layout.resource('packs/demo') },
    cache: { type: 'string', default: join(cacheDir(), 'demo-pack') },
    only: { type: 'string', default: 'autoencoder,encoder,classifier,decoder,denoiser' },
  },
})
const [out, cache] = [resolve(options.out), resolve(options.cache)]
const wanted = options.only.split(',')
mkdirSync(cache, { recursive: true })

/** Trains one part in a process of its own, where it is wanted. */
async function train(name: string, threads: number): Promise<void> {
  if (!wanted.includes(name)) return
  const child = spawn(nodeBinary(), [fileURLToPath(new URL('part.ts', import.meta.url)), name, out, cache], {
    stdio: 'inherit',
    env: {
      ...process.env,
      ...engineMemory,
      TF_CPP_MIN_LOG_LEVEL: '3',
      TF_NUM_INTRAOP_THREADS: `${threads}`,
      // Products of bfloat16 with sums of float32, where the processor has them: several times faster, and no worse for training.
      TF_SET_ONEDNN_FPMATH_MODE: 'BF16',
    },
  })
  const code = await new Promise<number | null>((done) => child.on('close', done))
  if (code !== 0)
    throw new Error(`the training of the ${name} ended with ${code}; start again to go on from its checkpoint`)
}

// The first three need nothing of each other, and the last two nothing but those before. Small networks are fastest on one thread.
const others = async () => {
  await train('encoder', 1)
  await train('classifier', 1)
}
await Promise.all([train('autoencoder', 1), others()])
await Promise.all([train('decoder', 1), train('denoiser', Math.max(1, availableParallelism() - 1))])

const { fingerprint, parts } = verifyPack(out)
const whole = parts.filter(({ state }) => state === 'ready').map(({ part }) => part)
writeJson(join(out, 'pack.json'), { version: 1, added: new Date().toISOString(), fingerprint, parts: whole })
