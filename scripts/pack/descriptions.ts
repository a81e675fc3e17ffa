/** What is in a scene, as numbers that the demo pack's image encoder learns to agree with. */
import { world } from '../../src-main/subjects/simulator/constants.ts'
import { kinds } from '../../src-main/subjects/simulator/kinds.ts'
import type { Scene, SceneObject } from '../../src-main/subjects/simulator/scenes.ts'

/** Cells along a side in which an object's centre is told. */
const CELLS = 8
/** The most objects of a scene. */
export const OBJECTS = 2

/** Width of an object's description: kind, size, column and row, each one of several. */
export const OBJECT_WIDTH = kinds.length + world.sizes.length + 2 * CELLS
export const BACKGROUNDS = world.backgrounds.length

const centreOf = ({ x, y, size }: SceneObject): [x: number, y: number] => [x + size / 2, y + size / 2]

/** Descriptions of scenes: their objects (n, OBJECTS, OBJECT_WIDTH), zeros for none, and backgrounds (n, BACKGROUNDS). */
export function describe(scenes: readonly Scene[]): { objects: Float32Array; backgrounds: Float32Array } {
  const objects = new Float32Array(scenes.length * OBJECTS * OBJECT_WIDTH)
  const backgrounds = new Float32Array(scenes.length * BACKGROUNDS)
  for (const [i, scene] of scenes.entries()) {
    backgrounds[i * BACKGROUNDS + scene.background] = 1
    for (const [o, object] of scene.objects.entries()) {
      const [column, row] = centreOf(object).map((at) => Math.floor((at * CELLS) / world.side))
      const start = (i * OBJECTS + o) * OBJECT_WIDTH
      const sizes = start + kinds.length
      const cells = sizes + world.sizes.length
      objects[start + object.kind] = 1
      objects[sizes + world.sizes.findIndex((size) => size === object.size)] = 1
      objects[cells + column] = 1
      objects[cells + CELLS + row] = 1
    }
  }
  return { objects, backgrounds }
}

/** What each patch of a scene shows, row by row. */
export interface PatchLabels {
  /** 0 for the background, else the object's kind + 1; (n, patches). */
  kinds: Int32Array
  /** From the patch's centre to the object's in units of half a scene, and the object's size in the same; zeros on the background. (n, patches, 3) */
  places: Float32Array
}

/** Share of a patch that an object's square has to cover to be what the patch shows. */
const COVERED = 0.25

/** Labels of the patches of scenes, `perSide` along each side. */
export function labelPatches(scenes: readonly Scene[], perSide: number): PatchLabels {
  const patch = world.side / perSide
  const count = perSide ** 2
  const labels = { kinds: new Int32Array(scenes.length * count), places: new Float32Array(scenes.length * count * 3) }
  for (const [i, { objects }] of scenes.entries())
    for (let at = 0; at < count; at++) {
      const [left, top] = [(at % perSide) * patch, Math.floor(at / perSide) * patch]
      const along = (from: number, start: number, size: number) =>
        Math.max(0, Math.min(from + patch, start + size) - Math.max(from, start))
      const covers = objects.map(({ x, y, size }) => (along(left, x, size) * along(top, y, size)) / patch ** 2)
      const most = Math.max(...covers)
      if (most < COVERED) continue
      const object = objects[covers.lastIndexOf(most)]
      const [x, y] = centreOf(object)
      const half = world.side / 2
      labels.kinds[i * count + at] = object.kind + 1
      labels.places.set(
        [(x - left - patch / 2) / half, (y - top - patch / 2) / half, object.size / half],
        (i * count + at) * 3,
      )
    }
  return labels
}
