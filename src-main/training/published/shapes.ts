import type { ArrayEntry } from '../../formats/array.ts'

/** Looks sizes up in names and shapes. Files may be damaged, so sizes have several places, and a value where none of them is there. */
export class Shapes {
  private readonly byName: ReadonlyMap<string, readonly number[]>

  constructor(arrays: readonly ArrayEntry[]) {
    this.byName = new Map(arrays.map(({ name, shape }) => [name, shape]))
  }

  has(name: string): boolean {
    return this.byName.has(name)
  }

  /** The length that most of these arrays have along these axes, the first of them where there is no majority. */
  axis(places: readonly (readonly [name: string, axis: number])[], otherwise: number): number {
    const votes = new Map<number, number>()
    for (const [name, axis] of places) {
      const length = this.byName.get(name)?.[axis]
      if (length) votes.set(length, (votes.get(length) ?? 0) + 1)
    }
    const most = Math.max(...votes.values())
    return [...votes].find(([, count]) => count === most)?.[0] ?? otherwise
  }

  /** The channels that a residual block of an autoencoder or UNet gives. */
  channels(block: string, otherwise: number): number {
    const parts = ['conv1.weight', 'conv1.bias', 'norm2.weight', 'conv2.weight', 'conv2.bias']
    return this.axis(
      parts.map((part) => [`${block}.${part}`, 0] as const),
      otherwise,
    )
  }

  /** One more than the largest number at the place of the pattern's group; no more than there are arrays, so that a name cannot ask for a billion layers. */
  count(pattern: RegExp, otherwise = 0): number {
    let count = 0
    for (const name of this.byName.keys()) count = Math.max(count, 1 + Number(pattern.exec(name)?.[1] ?? -1))
    return Math.min(count, this.byName.size) || otherwise
  }
}

/** The most groups, at most 32, into which all these channels divide: no shape tells the groups of a norm. */
export const groupsOf = (channels: readonly number[]): number =>
  [32, 16, 8, 4, 2].find((groups) => channels.every((width) => width % groups === 0)) ?? 1
