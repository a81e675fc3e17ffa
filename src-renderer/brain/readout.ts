/** What is under the pointer, in words and numbers. */
import { compact, count, decimal, quantity, THIN } from '../shared/format.ts'
import type { MapValues, SubjectBrain } from './data.ts'
import type { Parcels } from './scene/outlines.ts'
import { SIDES, type Pick, type Side } from './scene/types.ts'

export interface Readout {
  /** 'Left' or 'Right'; undefined where voxels are drawn. */
  side?: 'Left' | 'Right'
  vertex?: number
  voxel: number
  rois: string[]
  value: number | undefined
  unit: string
  mm?: readonly [number, number, number]
}

export const mmText = (mm: readonly number[]): string => `${mm.map((c) => decimal(c, 1)).join(' ')}${THIN}mm`

/** The value with its unit; says why there is none. */
export function valueText({ value, unit, voxel }: Readout): string {
  if (value === undefined) return voxel < 0 ? 'no voxel here' : 'no map'
  return Number.isNaN(value) ? 'missing' : quantity(compact(value, 4), unit)
}

/** As one sentence, for screen readers. */
export function readoutText(readout: Readout): string {
  const { side, vertex, voxel, rois, mm } = readout
  return [
    vertex === undefined ? undefined : `${side} hemisphere, vertex ${count(vertex)}`,
    rois.length ? rois.join(', ') : 'outside every ROI',
    valueText(readout),
    mm && mmText(mm),
    voxel < 0 ? undefined : `voxel ${count(voxel)}`,
  ]
    .filter((part) => part !== undefined)
    .join('; ')
}

/** Finds out what is known of a vertex or voxel; its arrays are loaded before it is asked. */
export class ReadoutMaker {
  readonly brain: SubjectBrain
  shown: MapValues | undefined
  pieces: Parcels | undefined
  private readonly surface: Partial<Record<Side, Float32Array>> = {}
  private positions: Float32Array | undefined
  private masks: Uint8Array | undefined
  private vertexOf: Int32Array | undefined

  constructor(brain: SubjectBrain) {
    this.brain = brain
  }

  async load(): Promise<void> {
    const { brain } = this
    // Places in the head are those of the folded sheet, whatever is shown.
    const folded = (['pial', 'white'] as const).find((shape) => brain.shapes.includes(shape))
    await Promise.all([
      ...brain.sides.map(async (side) => folded && (this.surface[side] = await brain.shape(side, folded))),
      brain.info.positions && brain.positions().then((all) => (this.positions = all)),
      brain.info.rois.length > 0 && brain.masks().then((all) => (this.masks = all)),
      brain.info.positions && brain.shapes.length > 0 && brain.voxelVertex().then((all) => (this.vertexOf = all)),
    ])
  }

  at({ side, vertex, voxel }: Pick): Readout {
    const { shown } = this
    const element = side && this.firstOf(side) + vertex
    const perVoxel = shown?.kind === 'vertex' ? shown.voxels : shown?.values
    const rois = voxel >= 0 && this.masks ? this.roisOf(voxel) : []
    const piece = element !== undefined && this.pieces?.labels.get(this.pieces.labelOf[element])
    const points = side ? this.surface[side] : this.positions
    const at = 3 * (side ? vertex : voxel)
    return {
      side: side && (side === 'left' ? 'Left' : 'Right'),
      vertex,
      voxel,
      rois: piece ? [...rois, piece.name] : rois,
      value: shown?.kind === 'vertex' && element !== undefined ? shown.values[element] : perVoxel?.[voxel],
      unit: shown?.unit ?? '',
      mm: points && [points[at], points[at + 1], points[at + 2]],
    }
  }

  /** Of a voxel that was selected elsewhere: with the vertex that shows it, where there is one. */
  ofVoxel(voxel: number): Readout {
    const side = SIDES[this.vertexOf?.[2 * voxel] ?? -1]
    return this.at(side ? { side, vertex: this.vertexOf![2 * voxel + 1], voxel } : { voxel })
  }

  /** The same place under another map. */
  again({ side, vertex, voxel }: Readout): Readout {
    return this.at(side ? { side: side === 'Left' ? 'left' : 'right', vertex: vertex!, voxel } : { voxel })
  }

  private firstOf(side: Side): number {
    return side === 'right' ? (this.brain.info.hemispheres.left?.vertices ?? 0) : 0
  }

  private roisOf(voxel: number): string[] {
    const { rois, voxels } = this.brain.info
    return rois.filter((_, r) => this.masks![r * voxels + voxel] !== 0).map(({ name }) => name)
  }
}
