/**
 * Our speed and memory beside the peers', on this machine: `npm run bench -- [--work NAME,…] [--rounds N] [--python PATH] [--json]`.
 * Fresh processes in alternation (ours, theirs, ours, …), never two at a time; ratios of medians over the rounds.
 * `--profile` instead shows where the time of ours goes, operation by operation.
 */
import { execFile, spawnSync } from 'node:child_process'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { engineMemory } from '../src-main/engine/channel.ts'
import { median } from './measure.ts'
import type { Measured } from './measure.ts'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const say = (line: string) => process.stderr.write(`${line}\n`)

interface Work {
  name: string
  /** Scripts of both sides; they take the same arguments. */
  ours: string
  peer: string
  peerName: string
  size: string
  batch: number
  /** Counted steps per process, after two that warm up. */
  steps: number
  /** Of memory, that the bigger of both takes. */
  gigabytes: number
  /** The most that we want of the peer's time and memory. */
  goal: { time: number; memory?: number }
  /** Options of the peer's script, e.g. what makes it fastest. */
  peerOptions?: string[]
}

const torch = (name: string, script: string, rest: Omit<Work, 'name' | 'ours' | 'peer' | 'peerName'>): Work => ({
  name,
  ours: here(`${script}.ts`),
  peer: here(`peers/torch_${script}.py`),
  peerName: 'PyTorch',
  ...rest,
})
const [better, level] = [{ time: 0.9, memory: 1 }, { time: 1 }]

/** Training steps of the peer use PyTorch's fused AdamW, the fastest that it has. */
const works: readonly Work[] = [
  torch('voxel2clip-medium', 'voxel2clip', { size: 'medium', batch: 32, steps: 8, gigabytes: 3, goal: better }),
  torch('voxel2clip-full', 'voxel2clip', { size: 'full', batch: 32, steps: 3, gigabytes: 18, goal: better }),
  torch('prior', 'prior', { size: 'full', batch: 4, steps: 3, gigabytes: 6, goal: level }),
  torch('lowlevel', 'lowlevel', { size: 'full', batch: 8, steps: 3, gigabytes: 10, goal: level }),
  torch('clip', 'clip', { size: 'full', batch: 8, steps: 3, gigabytes: 4, goal: level }),
  torch('unet', 'unet', { size: 'full', batch: 2, steps: 2, gigabytes: 8, goal: level }),
  {
    name: 'retrieval',
    ours: here('retrieval.ts'),
    peer: here('peers/faiss_topk.py'),
    peerName: 'FAISS',
    ...{ size: 'full', batch: 300, steps: 3, gigabytes: 5, goal: level },
  },
]

const { values: options } = parseArgs({
  options: {
    work: { type: 'string', default: works.map(({ name }) => name).join(',') },
    rounds: { type: 'string', default: '3' },
    python: { type: 'string', default: 'python3' },
    json: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
})

const chosen = options.work.split(',').map((name) => {
  const work = works.find((candidate) => candidate.name === name)
  if (work) return work
  say(`no work is named ${name}: choose from ${works.map((w) => w.name).join(', ')}`)
  process.exit(2)
})
const argumentsOf = ({ size, batch, steps }: Work) => [size, '--batch', `${batch}`, '--steps', `${steps}`]

if (options.profile) {
  for (const work of chosen) {
    console.log(`${work.name}, batch ${work.batch}, per step`)
    const args = [work.ours, ...argumentsOf(work), '--profile']
    const { status } = spawnSync(process.execPath, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...engineMemory },
    })
    if (status) process.exit(status)
  }
  process.exit()
}

/** Runs one process and reads the JSON of its last line. */
async function measure(program: string, args: string[], env: Record<string, string> = {}): Promise<Measured> {
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 1 << 24, env: { ...process.env, ...env } })
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Measured
}

try {
  await promisify(execFile)(options.python, ['-c', 'import torch, faiss'])
} catch {
  say(
    `${options.python} lacks the peers: pip install -r bench/peers/requirements.txt into a virtual environment of its`,
  )
  say('own, then give its interpreter with --python PATH.')
  process.exit(1)
}

const results = []
for (const work of chosen) {
  const { name, peerName, gigabytes, goal } = work
  if (totalmem() < gigabytes * 1e9) {
    say(`${name} is left out: it takes ${gigabytes} GB, this machine has ${(totalmem() / 1e9).toFixed(0)} GB`)
    continue
  }
  const [ours, theirs]: [Measured[], Measured[]] = [[], []]
  const told = ({ ms, peak_mb }: Measured) => `${ms.toFixed(0)} ms, ${peak_mb.toFixed(0)} MB`
  for (let round = 0; round < Number(options.rounds); round++) {
    ours.push(await measure(process.execPath, [work.ours, ...argumentsOf(work)], engineMemory))
    theirs.push(await measure(options.python, [work.peer, ...argumentsOf(work), ...(work.peerOptions ?? [])]))
    say(`${name}: ours ${told(ours.at(-1)!)}; ${peerName} ${told(theirs.at(-1)!)}`)
  }
  const [ms, peer_ms] = [ours, theirs].map((runs) => median(runs.map((run) => run.ms)))
  const [cpu_ms, peer_cpu_ms] = [ours, theirs].map((runs) => median(runs.map((run) => run.cpu_ms)))
  const [peak_mb, peer_peak_mb] = [ours, theirs].map((runs) => median(runs.map((run) => run.peak_mb)))
  results.push({
    work: name,
    ratio: ms / peer_ms,
    ms,
    peer_ms,
    peak_mb,
    peer_peak_mb,
    cpu_ms,
    peer_cpu_ms,
    goal,
    batch: work.batch,
    version: `TensorFlow ${ours[0].version}`,
    peer: `${peerName} ${theirs[0].version}`,
    threads: [ours[0].threads, theirs[0].threads],
  })
}

if (options.json) console.log(JSON.stringify({ results }))
else {
  console.log('| work | batch | time, ours / peer | ratio | goal | peak memory, ours / peer | ratio | goal |')
  console.log('|---|---|---|---|---|---|---|---|')
  for (const { work, batch, ratio, ms, peer_ms, peak_mb, peer_peak_mb, goal } of results) {
    const time = [`${ms.toFixed(0)} / ${peer_ms.toFixed(0)} ms`, ratio.toFixed(2), `${goal.time}`]
    const memory = [`${peak_mb.toFixed(0)} / ${peer_peak_mb.toFixed(0)} MB`, (peak_mb / peer_peak_mb).toFixed(2)]
    console.log(`| ${[work, batch, ...time, ...memory, goal.memory ?? ''].join(' | ')} |`)
  }
  const versions = new Set(results.flatMap(({ version, peer }) => [version, peer]))
  const date = new Date().toISOString().slice(0, 10)
  console.log(`\n${[...versions].join(', ')}; ${cpus()[0].model}, ${availableParallelism()} cores, ${date}.`)
}
