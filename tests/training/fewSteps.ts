/** Trains a decoder of the given options (JSON) and voxels for a few steps: its peak memory is what is looked at. */
import { readFileSync } from 'node:fs'
import { loadBackend } from '../../src-main/engine/backend.ts'
import type { TrainingOptions } from '../../src-main/training/fields.ts'
import { completed, highLevelStep, lowLevelStep } from './smallTraining.ts'

const [options, voxels] = process.argv.slice(2)
await loadBackend()
const config = completed(JSON.parse(options) as TrainingOptions)
const step = (config.method === 'low-level' ? lowLevelStep : highLevelStep)(config, Number(voxels))
for (let i = 0; i < 3; i++) step()
console.log(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))![1])
