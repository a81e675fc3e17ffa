import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64'
import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus, xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus'

/** What a checkpoint keeps of a generator: the seed (for `split`) and the position. */
export interface RandomState {
  seed: number
  state: number[]
}

/** Mixes labels into a seed (murmur3 finalizer over the UTF-16 units), so that streams of different purpose don't overlap. */
function mix(seed: number, labels: readonly (string | number)[]): number {
  let h = seed | 0
  for (const label of labels)
    for (const unit of `${label}\0`) {
      h = Math.imul(h ^ unit.charCodeAt(0), 0x85ebca6b)
      h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
      h ^= h >>> 16
    }
  return h | 0
}

/** A seeded generator (xoroshiro128+) whose position can be saved; the only source of randomness in the project. */
export class Random {
  readonly seed: number
  private generator

  constructor(seed: number) {
    this.seed = seed | 0
    // The raw generator starts in a state that shows the seed, so the seed is hashed and the first outputs are dropped.
    this.generator = xoroshiro128plus(mix(this.seed, ['']))
    for (let i = 0; i < 16; i++) this.generator.next()
  }

  static fromState(saved: RandomState): Random {
    const random = new Random(saved.seed)
    random.generator = xoroshiro128plusFromState(saved.state)
    return random
  }

  get state(): RandomState {
    return { seed: this.seed, state: [...this.generator.getState()] }
  }

  /** An independent stream named by labels; does not move this one and does not depend on its position. */
  split(...labels: (string | number)[]): Random {
    return new Random(mix(this.seed, labels))
  }

  /** U[0, 1) with 53 bits. */
  uniform(): number {
    return uniformFloat64(this.generator)
  }

  /** Uniform integer in [0, n). */
  int(n: number): number {
    return uniformInt(this.generator, 0, n - 1)
  }

  /** N(0, 1), by Box and Muller; one of the pair is dropped so that the state stays a plain generator state. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }

  /** ln of Gamma(a, 1), by Marsaglia and Tsang; in logs because shapes far below 1 underflow. */
  private logGamma(a: number): number {
    if (a < 1) return this.logGamma(a + 1) + Math.log(1 - this.uniform()) / a
    const d = a - 1 / 3
    const c = 1 / Math.sqrt(9 * d)
    for (;;) {
      const x = this.normal()
      const v = (1 + c * x) ** 3
      if (v > 0 && Math.log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d * v)
    }
  }

  /** Beta(a, b). */
  beta(a: number, b: number): number {
    return 1 / (1 + Math.exp(this.logGamma(b) - this.logGamma(a)))
  }

  /** A random order of 0..n-1, by Fisher and Yates. */
  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, i) => i)
    for (let i = n - 1; i > 0; i--) {
      const j = this.int(i + 1)
      const held = order[i]
      order[i] = order[j]
      order[j] = held
    }
    return order
  }
}
