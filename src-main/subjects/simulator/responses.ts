import type { Random } from '../../nn/random.ts'
import { ceiling, measurement, tuning } from './constants.ts'
import { sessionRange } from './design.ts'
import type { Design } from './design.ts'
import { channels, groupVectors, makePooling, pool } from './features.ts'
import type { Features } from './features.ts'
import type { Voxel } from './voxels.ts'
import type { Group } from './kinds.ts'
import type { AreaName, PatchName } from './areas.ts'

const components = ['edges', 'colour', 'layout', 'category'] as const
const patchGroups: Record<PatchName, Group> = { FFA: 'face', PPA: 'place', EBA: 'animal' }

/** What a voxel reads out of the features. */
interface Readout {
  /** Positive weights on the 8 edge channels, signed ones on the 3 colours. */
  edges: Float64Array
  colour: Float64Array
  /** Weight of objects by category vector. */
  category: Float64Array
}

function drawReadout(voxel: Voxel, random: Random): Readout {
  const edges = Float64Array.from({ length: 8 }, () => Math.exp(0.9 * random.normal()))
  const colour = Float64Array.from({ length: 3 }, () => random.normal())
  const preferred = voxel.patch && groupVectors[patchGroups[voxel.patch]]
  const category = Float64Array.from(groupVectors.face, (_, i) => {
    const pull = preferred ? tuning.patchPreference * preferred[i] * Math.sqrt(groupVectors.face.length) : 0
    return random.normal() + pull
  })
  return { edges, colour, category }
}

/** The four components of one voxel's response to one image, before they are scaled and mixed; into `out`. */
function respond(voxel: Voxel, readout: Readout, features: Features, pooled: Float64Array, out: Float64Array): void {
  const { mixture } = tuning
  out.fill(0)
  if (mixture[voxel.area].edges)
    for (let k = channels.edges[0]; k < channels.edges[1]; k++)
      out[0] += readout.edges[k] * Math.sqrt(Math.max(0, pooled[k]))
  for (let k = channels.colour[0]; k < channels.colour[1]; k++)
    out[1] += readout.colour[k - channels.colour[0]] * pooled[k]
  out[2] = pooled[channels.layout[0]]
  if (!mixture[voxel.area].category) return
  const side = voxel.hemisphere === 'left' ? 1 : -1
  let seen = 0
  for (const object of features.objects) {
    // A smooth step from the ipsilateral to the contralateral half
    const contralateral = 1 / (1 + Math.exp(-3 * side * object.x))
    const weight = object.extent * (tuning.ipsilateral + (1 - tuning.ipsilateral) * contralateral)
    let match = 0
    for (let i = 0; i < object.category.length; i++) match += readout.category[i] * object.category[i]
    out[3] += weight * match
    seen += weight
  }
  // Two objects share the response rather than add up (divisive normalisation).
  if (seen > 0) out[3] /= Math.sqrt(seen)
}

/** Channels that an area's mixture reads, as one range. */
function channelRange(area: AreaName): { from: number; to: number } {
  const used = (['edges', 'colour', 'layout'] as const).filter((part) => tuning.mixture[area][part] > 0)
  return { from: channels[used[0]][0], to: channels[used[used.length - 1]][1] }
}

/** Voxels worked on at a time: an image's maps then stay in the processor's cache. */
const block = 256

/**
 * Noise-free responses (images, V), each voxel with mean 0 and SD 1 over the images: a weighted mixture of its edge, colour,
 * layout and category components, each standardised first so that the shares in `constants.ts` are shares of variance.
 */
export function signals(voxels: readonly Voxel[], features: readonly Features[], random: Random): Float32Array {
  const V = voxels.length
  const N = features.length
  const signal = new Float32Array(N * V)
  const pooled = new Float64Array(channels.count)
  const out = new Float64Array(components.length)
  for (let start = 0; start < V; start += block) {
    const part = voxels.slice(start, start + block).map((voxel) => ({
      voxel,
      readout: drawReadout(voxel, random),
      pooling: makePooling(voxel.field),
      ...channelRange(voxel.area),
    }))
    const raw = part.map(() => components.map(() => new Float64Array(N)))
    for (let i = 0; i < N; i++)
      part.forEach(({ voxel, readout, pooling, from, to }, v) => {
        pool(features[i].maps, pooling, from, to, pooled)
        respond(voxel, readout, features[i], pooled, out)
        for (let c = 0; c < components.length; c++) raw[v][c][i] = out[c]
      })
    part.forEach(({ voxel }, v) => {
      const mixed = mix(raw[v], voxel.area)
      for (let i = 0; i < N; i++) signal[i * V + start + v] = mixed[i]
    })
  }
  return signal
}

function mix(parts: Float64Array[], area: AreaName): Float64Array {
  const mixed = new Float64Array(parts[0].length)
  components.forEach((component, c) => {
    const share = Math.sqrt(tuning.mixture[area][component])
    if (!share) return
    standardise(parts[c])
    for (let i = 0; i < mixed.length; i++) mixed[i] += share * parts[c][i]
  })
  standardise(mixed)
  return mixed
}

/** To mean 0 and SD 1, in place; constants become 0. */
function standardise(values: Float64Array): void {
  let sum = 0
  for (const x of values) sum += x
  const mean = sum / values.length
  let squares = 0
  for (const x of values) squares += (x - mean) ** 2
  const sd = Math.sqrt(squares / values.length)
  for (let i = 0; i < values.length; i++) values[i] = sd > 1e-9 ? (values[i] - mean) / sd : 0
}

/** Share of the variance of one trial that the image explains, per voxel. */
export function drawCeilings(voxels: readonly Voxel[], random: Random): Float32Array<ArrayBuffer> {
  return Float32Array.from(voxels, ({ area }) => {
    if (random.uniform() < ceiling.poor) return random.beta(ceiling.poorA, ceiling.poorB)
    return random.beta(ceiling[area].a, ceiling[area].b)
  })
}

/** Noise that voxels share: unit-norm loadings (V, patterns) on smooth spatial patterns. */
function noiseLoadings(voxels: readonly Voxel[], random: Random): Float32Array {
  const K = measurement.noisePatterns
  const centres = Array.from({ length: K }, () => voxels[random.int(voxels.length)].position)
  const loadings = new Float32Array(voxels.length * K)
  voxels.forEach(({ position }, v) => {
    const row = loadings.subarray(v * K, (v + 1) * K)
    centres.forEach((centre, k) => {
      const distance = Math.hypot(position[0] - centre[0], position[1] - centre[1], position[2] - centre[2])
      // The floor keeps the norm off zero for voxels far from all centres: they share a global pattern.
      row[k] = Math.exp(-(distance ** 2) / (2 * measurement.noisePatternMm ** 2)) + 0.02
    })
    const norm = Math.hypot(...row)
    for (let k = 0; k < K; k++) row[k] /= norm
  })
  return loadings
}

/**
 * Single-trial betas (trials, V) in percent signal change: signal and noise in the proportion of each voxel's ceiling, then
 * the session's gain and offset, then the voxel's own scale and level.
 */
export function measure(
  design: Design,
  voxels: readonly Voxel[],
  signal: Float32Array,
  ceilings: Float32Array,
  random: Random,
): Float32Array {
  const V = voxels.length
  const K = measurement.noisePatterns
  const loadings = noiseLoadings(voxels, random.split('noise patterns'))
  const noise = random.split('noise')
  const drift = random.split('drift')
  const still = random.split('scale')
  const sd = Float32Array.from(voxels, () => Math.exp(measurement.scale.mean + measurement.scale.sd * still.normal()))
  const level = Float32Array.from(voxels, () => measurement.level.mean + measurement.level.sd * still.normal())
  const offset = Float64Array.from(voxels, () => drift.normal())
  const gain = Float64Array.from(voxels, () => drift.normal())
  const { driftMemory, sharedNoise } = measurement
  const innovation = Math.sqrt(1 - driftMemory ** 2)
  const signalShare = ceilings.map(Math.sqrt)
  const noiseShare = ceilings.map((c) => Math.sqrt(1 - c))

  const betas = new Float32Array(design.trialCount * V)
  const factors = new Float64Array(K)
  for (let s = 0; s < design.sessionCount; s++) {
    const { start, stop } = sessionRange(design, s)
    for (let t = start; t < stop; t++) {
      for (let k = 0; k < K; k++) factors[k] = noise.normal()
      const shown = design.column[t] * V
      for (let v = 0; v < V; v++) {
        let shared = 0
        for (let k = 0; k < K; k++) shared += loadings[v * K + k] * factors[k]
        const error = Math.sqrt(sharedNoise) * shared + Math.sqrt(1 - sharedNoise) * noise.normal()
        const response = signalShare[v] * signal[shown + v] + noiseShare[v] * error
        const drifted = Math.exp(measurement.gain * gain[v]) * response + measurement.offset * offset[v]
        betas[t * V + v] = level[v] + sd[v] * drifted
      }
    }
    for (let v = 0; v < V; v++) {
      offset[v] = driftMemory * offset[v] + innovation * drift.normal()
      gain[v] = driftMemory * gain[v] + innovation * drift.normal()
    }
  }
  return betas
}

/** Betas as MindEye's files hold them: z-scored per voxel and session, with mean and SD of the session's own (not shared) images. */
export function zScoreSessions(design: Design, betas: Float32Array, V: number): Float32Array<ArrayBuffer> {
  const scored = new Float32Array(betas.length)
  for (let s = 0; s < design.sessionCount; s++) {
    const { start, stop } = sessionRange(design, s)
    const sum = new Float64Array(V)
    const squares = new Float64Array(V)
    let count = 0
    for (let t = start; t < stop; t++) {
      if (design.column[t] < design.shared) continue
      count++
      for (let v = 0; v < V; v++) {
        const x = betas[t * V + v]
        sum[v] += x
        squares[v] += x * x
      }
    }
    for (let v = 0; v < V; v++) {
      const mean = sum[v] / count
      const sd = Math.sqrt(Math.max(squares[v] / count - mean * mean, 1e-12))
      for (let t = start; t < stop; t++) scored[t * V + v] = (betas[t * V + v] - mean) / sd
    }
  }
  return scored
}
