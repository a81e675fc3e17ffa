/**
 * Our speed and memory beside PyTorch's, on this machine: `npm run bench -- [--work NAME,…] [--python PATH] [--json]`.
 * Fresh processes in alternation (ours, theirs, ours, …), never two at a time; ratios of medians over the rounds.
 */
import { execFile } from 'node:child_process'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { engineMemory } from '../src-main/engine/channel.ts'
import { mean } from '../src-main/evaluation/statistics.ts'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

interface Work {
  name: string
  /** Counted steps per process, after two that warm up. */
  steps: number
  ours(steps: number): string[]
  peers: Record<string, (steps: number) => string[]>
  gigabytes: number
}

const voxel2clip = (size: 'medium' | 'full', steps: number, gigabytes: number): Work => ({
  name: `voxel2clip-${size}`,
  steps,
  gigabytes,
  ours: (count) => [here('voxel2clip.ts'), size, String(count)],
  peers: Object.fromEntries(
    ['adamw', 'adamw_fused'].map((optimizer) => [
      optimizer,
      (count: number) => [
        here('peers/torch_voxel2clip.py'),
        ...['--config', size, '--steps', String(count), '--optimizer', optimizer],
      ],
    ]),
  ),
})

const works: readonly Work[] = [voxel2clip('medium', 8, 3), voxel2clip('full', 2, 18)]

const { values: options } = parseArgs({
  options: {
    work: { type: 'string', default: works.map(({ name }) => name).join(',') },
    rounds: { type: 'string', default: '3' },
    python: { type: 'string', default: 'python3' },
    json: { type: 'boolean', default: false },
  },
})
const say = (line: string) => process.stderr.write(`${line}\n`)

interface Measured {
  ms: number
  /** Peak resident memory above that of the loaded library. */
  peak_mb: number
  version: string
}

/** Runs one process and reads the JSON of its last line. */
async function measure(program: string, args: string[], env: Record<string, string> = {}): Promise<Measured> {
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 1 << 24, env: { ...process.env, ...env } })
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Measured
}

const median = (values: number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length / 2
  return mean([sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]])
}

try {
  await promisify(execFile)(options.python, ['-c', 'import torch'])
} catch {
  say(
    `${options.python} has no PyTorch: pip install -r bench/peers/requirements.txt into a virtual environment of its own,`,
  )
  say('then give its interpreter with --python PATH.')
  process.exit(1)
}

const results = []
for (const name of options.work.split(',')) {
  const work = works.find((candidate) => candidate.name === name)
  if (!work) {
    say(`no work is named ${name}: choose from ${works.map((w) => w.name).join(', ')}`)
    process.exit(2)
  }
  if (totalmem() < work.gigabytes * 1e9) {
    say(`${name} is left out: it takes ${work.gigabytes} GB, this machine has ${(totalmem() / 1e9).toFixed(0)} GB`)
    continue
  }
  const ours: Measured[] = []
  const theirs = new Map(Object.keys(work.peers).map((peer) => [peer, [] as Measured[]]))
  for (let round = 0; round < Number(options.rounds); round++) {
    ours.push(await measure(process.execPath, work.ours(work.steps), engineMemory))
    say(`${name}: ours ${ours.at(-1)!.ms.toFixed(0)} ms, ${ours.at(-1)!.peak_mb.toFixed(0)} MB`)
    for (const [peer, args] of Object.entries(work.peers)) {
      const measured = await measure(options.python, args(work.steps))
      theirs.get(peer)!.push(measured)
      say(`${name}: PyTorch ${peer} ${measured.ms.toFixed(0)} ms, ${measured.peak_mb.toFixed(0)} MB`)
    }
  }
  for (const [peer, measured] of theirs) {
    const [ms, peer_ms] = [ours, measured].map((runs) => median(runs.map((run) => run.ms)))
    const [peak_mb, peer_peak_mb] = [ours, measured].map((runs) => median(runs.map((run) => run.peak_mb)))
    const versions = `TensorFlow ${ours[0].version}, PyTorch ${measured[0].version}`
    results.push({
      work: name,
      peer: `pytorch ${peer}`,
      ratio: ms / peer_ms,
      ms,
      peer_ms,
      peak_mb,
      peer_peak_mb,
      versions,
    })
  }
}

if (options.json) console.log(JSON.stringify({ results }))
else {
  console.log(
    '| work | peer | time, ours / peer | ratio | peak memory, ours / peer | ratio |\n|---|---|---|---|---|---|',
  )
  for (const { work, peer, ratio, ms, peer_ms, peak_mb, peer_peak_mb } of results)
    console.log(
      `| ${work} | ${peer} | ${ms.toFixed(0)} / ${peer_ms.toFixed(0)} ms | ${ratio.toFixed(2)} | ` +
        `${peak_mb.toFixed(0)} / ${peer_peak_mb.toFixed(0)} MB | ${(peak_mb / peer_peak_mb).toFixed(2)} |`,
    )
  const date = new Date().toISOString().slice(0, 10)
  console.log(`\n${results[0]?.versions}; ${cpus()[0].model}, ${availableParallelism()} cores, ${date}.`)
}
