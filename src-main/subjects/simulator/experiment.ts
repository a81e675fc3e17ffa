import { Random } from '../../nn/random.ts'
import type { RunOptions } from '../../base/progress.ts'
import { world } from './constants.ts'
import { Cortex } from './cortex.ts'
import type { Hemisphere } from './cortex.ts'
import { makeDesign } from './design.ts'
import type { Design } from './design.ts'
import { sceneFeatures } from './features.ts'
import type { Features } from './features.ts'
import { drawCeilings, measure, signals } from './responses.ts'
import { SceneDrawer, ScenePainter } from './scenes.ts'
import type { Scene } from './scenes.ts'
import { makeVoxels, namedMasks } from './voxels.ts'
import type { Grid, NamedMask, Voxel } from './voxels.ts'

/** Everything that is the same for all subjects of a simulation. */
export interface Experiment {
  seed: number
  design: Design
  /** By image id ("73k id", 0-based, no gaps). */
  scenes: Scene[]
  /** Image id of each column of the design, one row per subject; the shared columns are the same in all rows. */
  imageIds: Int32Array[]
  painter: ScenePainter
}

export interface SimulatedSubject {
  /** `subj01`, ... */
  id: string
  /** From 1. */
  number: number
  grid: Grid
  voxels: Voxel[]
  masks: NamedMask[]
  /** Single-trial percent signal change, (trials, V) in the design's order. */
  betas: Float32Array
  /** Truth: share of one trial's variance that the image explains, (V). */
  ceilings: Float32Array<ArrayBuffer>
}

/** Draws images and their order for `subjects` subjects with `images` own images each. */
export function makeExperiment(seed: number, subjects: number, images: number): Experiment {
  const random = new Random(seed)
  const design = makeDesign(images, random.split('design'))
  const drawer = new SceneDrawer()
  const drawn = drawer.draw(random.split('shared images'), design.shared)
  for (let s = 1; s <= subjects; s++) drawn.push(...drawer.draw(random.split('images', s), images))
  // Ids tell nothing about which images are shared or whose they are.
  const ids = random.split('ids').permutation(drawn.length)
  const scenes = new Array<Scene>(drawn.length)
  drawn.forEach((scene, i) => (scenes[ids[i]] = scene))
  const imageIds = Array.from({ length: subjects }, (_, s) =>
    Int32Array.from({ length: design.shared + images }, (_, c) => ids[c < design.shared ? c : c + s * images]),
  )
  return { seed, design, scenes, imageIds, painter: new ScenePainter() }
}

/** The folded hemispheres of a subject; nothing but the seed and the number decide them. */
export function subjectCortices(seed: number, number: number): Cortex[] {
  const random = new Random(seed).split('cortex', number)
  return (['left', 'right'] satisfies Hemisphere[]).map((hemisphere) => new Cortex(random, hemisphere))
}

/** Grows the cortex of subject `number` (from 1) and measures its responses to every trial. */
export async function makeSubject(
  experiment: Experiment,
  number: number,
  options: RunOptions,
): Promise<SimulatedSubject> {
  const { seed, design, scenes, imageIds, painter } = experiment
  const id = `subj${String(number).padStart(2, '0')}`
  const random = new Random(seed).split('subject', number)
  options.progress({ phase: `${id}: cortex`, done: 0, total: 1 })
  const { grid, voxels } = makeVoxels(subjectCortices(seed, number), random.split('fields'))
  const features: Features[] = []
  for (const image of imageIds[number - 1]) {
    options.signal.throwIfAborted()
    features.push(sceneFeatures(scenes[image], await painter.paint(scenes[image], world.side)))
    if (features.length % 50 === 0)
      options.progress({
        phase: `${id}: features of the images`,
        done: features.length,
        total: design.shared + design.own,
      })
  }
  options.progress({ phase: `${id}: responses`, done: 0, total: 2 })
  const signal = signals(voxels, features, random.split('tuning'))
  const ceilings = drawCeilings(voxels, random.split('ceiling'))
  options.signal.throwIfAborted()
  options.progress({ phase: `${id}: responses`, done: 1, total: 2 })
  const betas = measure(design, voxels, signal, ceilings, random)
  return { id, number, grid, voxels, masks: namedMasks(voxels), betas, ceilings }
}
