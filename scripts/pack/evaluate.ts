/**
 * Judges a demo pack by unseen scenes: `npm run pack:evaluate -- [--pack FOLDER] [--scenes N] [--steps N] [--guidance G,…]`. Prints the figures
 * that stand in its model card.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { formatTable } from '../../src-main/actions/table.ts'
import { loadBackend } from '../../src-main/engine/backend.ts'
import { layout } from '../../src-main/base/layout.ts'
import { judge } from './judge.ts'
import type { Named } from './judge.ts'
import { HELD_OUT, heldOutScenes } from './world.ts'

const { values: options } = parseArgs({
  options: {
    pack: { type: 'string', default: layout.resource('packs/demo') },
    scenes: { type: 'string', default: '500' },
    steps: { type: 'string', default: '20' },
    guidance: { type: 'string', default: '1.75' },
  },
})
const [count, steps] = [Math.min(Number(options.scenes), HELD_OUT.count), Number(options.steps)]
await loadBackend()
const all = await heldOutScenes()
const scenes = { ...all, scenes: all.scenes.slice(0, count) }

const percent = (share: number) => `${(100 * share).toFixed(1)} %`
const row = (name: string, { any, largest, all }: Named, ...rest: string[]) => [
  name,
  ...[any, largest, all].map(percent),
  ...rest,
]
for (const guidance of options.guidance.split(',').map(Number)) {
  const { named, pixCorr, decibel, retrieved } = judge(options.pack, scenes, { steps, guidance })
  console.log(`${count} unseen scenes, ${steps} steps of UniPC, guidance ${guidance}; ${cpus()[0].model.trim()}`)
  console.log(
    formatTable(
      ['PICTURES', 'AN OBJECT', 'THE LARGEST', 'ALL OBJECTS', 'PIXCORR'],
      [
        row('originals', named.originals, ''),
        row('autoencoded', named.autoencoded, pixCorr.autoencoded.toFixed(3)),
        row('from true tokens', named.reconstructed, pixCorr.reconstructed.toFixed(3)),
      ],
    ),
  )
  console.log(`autoencoder ${decibel.toFixed(1)} dB; own tokens found again among ${count}: ${percent(retrieved)}\n`)
}
