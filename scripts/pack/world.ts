/** The scenes that the demo pack is trained on, and those that it is judged on. */
import * as tf from '@tensorflow/tfjs-core'
import { Random } from '../../src-main/nn/random.ts'
import { world } from '../../src-main/subjects/simulator/constants.ts'
import type { Scene } from '../../src-main/subjects/simulator/scenes.ts'
import { SceneDrawer, ScenePainter } from '../../src-main/subjects/simulator/scenes.ts'

/** Side of a scene, px. */
export const SIDE = world.side
const PIXELS = SIDE * SIDE * 3

export interface Scenes {
  scenes: readonly Scene[]
  /** Bytes (n, SIDE, SIDE, 3). */
  pictures: Uint8Array
}

/** Scenes to learn from. */
const TRAINING = { count: 30_000, seed: 64_001 }
/** Scenes to judge by: none of the others is a near copy of one of them. */
export const HELD_OUT = { count: 1000, seed: 64_002 }

async function paint(scenes: readonly Scene[]): Promise<Scenes> {
  const painter = new ScenePainter()
  const pictures = new Uint8Array(scenes.length * PIXELS)
  for (const [i, scene] of scenes.entries()) pictures.set((await painter.paint(scene, SIDE)).data, i * PIXELS)
  return { scenes, pictures }
}

const heldOutBy = (drawer: SceneDrawer): Scene[] => drawer.draw(new Random(HELD_OUT.seed), HELD_OUT.count)

export const heldOutScenes = (): Promise<Scenes> => paint(heldOutBy(new SceneDrawer()))

export function trainingScenes(count = TRAINING.count): Promise<Scenes> {
  const drawer = new SceneDrawer()
  heldOutBy(drawer)
  return paint(drawer.draw(new Random(TRAINING.seed), count))
}

/** Pictures (B, SIDE, SIDE, 3) in [0, 1]. */
export function pictureBatch({ pictures }: Scenes, items: readonly number[]): tf.Tensor4D {
  const bytes = new Float32Array(items.length * PIXELS)
  for (const [i, item] of items.entries()) bytes.set(pictures.subarray(item * PIXELS, (item + 1) * PIXELS), i * PIXELS)
  return tf.tidy(() => tf.div(tf.tensor4d(bytes, [items.length, SIDE, SIDE, 3]), 255))
}

/** Numbers of scenes, drawn with replacement. */
export const drawItems = ({ scenes }: Scenes, batch: number, random: Random): number[] =>
  Array.from({ length: batch }, () => random.int(scenes.length))
