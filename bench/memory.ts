/** What training takes by preset, as the Markdown table of docs/memory.md: `npm run memory`. An estimate: nothing is trained. */
import type { TrainingMemory } from '../src-main/training/memory.ts'
import { trainingMemory } from '../src-main/training/memory.ts'
import { presetConfig, presets } from '../src-main/training/presets.ts'

/** Voxels and trials of the data that a preset is for. */
const nsd = { voxels: 15_724, trials: 27_000 }
const dataOf: Record<string, { voxels: number; trials: number }> = {
  'paper-subj01': nsd,
  'paper-1x768': nsd,
  'paper-low-level': nsd,
  demo: { voxels: 3000, trials: 1800 },
}
const smallStudy = { voxels: 1000, trials: 100 }

const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1)
const rows = presets.map(({ id }) => {
  const { voxels, trials } = dataOf[id] ?? smallStudy
  const memory = trainingMemory(presetConfig(id), voxels, trials)
  const sum = (...names: (keyof TrainingMemory)[]) => names.reduce((total, name) => total + memory[name], 0)
  const computed = sum('parameters', 'gradient', 'activations', 'encoder')
  return [
    id,
    `${voxels.toLocaleString('en')} x ${trials.toLocaleString('en')}`,
    ...Object.values<number>(memory as unknown as Record<string, number>).map(gigabytes),
    gigabytes(computed + sum('engine', 'data')),
    gigabytes(computed),
    gigabytes(sum('engine', 'data')),
  ]
})
const parts = Object.keys(trainingMemory(presetConfig('demo'), 1, 1))
const headers = ['preset', 'voxels x trials', ...parts, 'all, on a CPU', 'graphics card', 'beside it']
for (const row of [headers, headers.map(() => '---'), ...rows]) console.log(`| ${row.join(' | ')} |`)
