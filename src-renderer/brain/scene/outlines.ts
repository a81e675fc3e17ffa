/** Which outlines run between two neighbouring elements: one bit per outlined set, compared by the shader. */
import type { Content } from './content.ts'
import { SIDES } from './types.ts'

type Colour = readonly [number, number, number]

/** A set of elements (see Content) drawn as an outline. */
export interface Outline {
  name: string
  colour: Colour // sRGB bytes
  has(element: number): boolean
}

/** A division of the surface into labelled pieces, all outlined. */
export interface Parcels {
  /** Label of each element, -1 for none. */
  labelOf: Int32Array
  labels: ReadonlyMap<number, { name: string; colour: Colour }>
}

export const MOST_SETS = 20
/** The bits above are shared by the pieces of a parcellation: neighbours get different ones. */
const PIECE_BITS = 11

export class Outlines {
  sets: readonly Outline[] = []
  parcels: Parcels | undefined

  /** Writes the keys and the pieces' colours over all elements. */
  fill(content: Content) {
    const keys = content.keys.array.fill(0)
    const { sets, parcels } = this
    sets.forEach((set, bit) => {
      for (let e = 0; e < content.elements; e++) if (set.has(e)) keys[e] |= 1 << bit
    })
    if (parcels) {
      const bitOf = pieceBits(content, parcels.labelOf)
      const inks = new Map(
        [...parcels.labels].map(
          ([
            label,
            {
              colour: [r, g, b],
            },
          ]) => [label, r | (g << 8) | (b << 16)],
        ),
      )
      for (let e = 0; e < content.elements; e++) {
        const label = parcels.labelOf[e]
        if (!parcels.labels.has(label)) continue
        keys[e] |= 1 << (MOST_SETS + bitOf.get(label)!)
        content.pieceInk.array[e] = inks.get(label)!
      }
      content.pieceInk.upload()
    }
    content.keys.upload()
  }

  get isEmpty() {
    return this.sets.length === 0 && !this.parcels
  }

  /** Names of what an element belongs to. */
  namesAt(element: number, keys: Uint32Array): string[] {
    const names = this.sets.filter((_, bit) => (keys[element] >>> bit) & 1).map(({ name }) => name)
    const piece = this.parcels?.labels.get(this.parcels.labelOf[element])
    return piece ? [...names, piece.name] : names
  }
}

/** A bit for each label so that labels that touch differ where possible: the first that no neighbour has. */
function pieceBits(content: Content, labelOf: Int32Array): Map<number, number> {
  const touches = new Map<number, Set<number>>()
  const note = (a: number, b: number) => {
    if (a === b) return
    if (!touches.has(a)) touches.set(a, new Set())
    touches.get(a)!.add(b)
  }
  for (const side of SIDES) {
    const surface = content.surfaces[side]
    if (!surface) continue
    const { faces } = surface.data
    for (let f = 0; f < faces.length; f += 3)
      for (let k = 0; k < 3; k++) {
        const a = labelOf[surface.first + faces[f + k]]
        const b = labelOf[surface.first + faces[f + ((k + 1) % 3)]]
        note(a, b)
        note(b, a)
      }
  }
  const bits = new Map<number, number>()
  for (const label of new Set(labelOf)) {
    const taken = new Set([...(touches.get(label) ?? [])].map((other) => bits.get(other)))
    let bit = 0
    while (taken.has(bit) && bit < PIECE_BITS - 1) bit++
    bits.set(label, bit)
  }
  return bits
}
