/**
 * How numbers become colours, once for everything that shows them: the cortex' shader, slices, colour bar, charts and
 * exports hold the same ColourScale object.
 *
 * The arithmetic is single precision on purpose: `index` here and `COLOUR_SCALE_GLSL` on the graphics card are the same
 * operations in the same order, so that a pixel can be compared with its number.
 */
import { colourMap, type ColourMapKind } from './colourMaps/index.ts'

/** What `index` gives for a value without a colour. */
export const BELOW = -1
export const MISSING = -2

/** Stands for a missing value in textures, since shaders may not tell NaN from numbers. */
export const MISSING_VALUE = Math.fround(3e38)

const f = Math.fround

export interface ColourScaleParts {
  /** Name of the colour map. */
  map: string
  /** Values at the ends of the colour map; lower < upper. */
  limits: readonly [number, number]
  /** Values with |value| < threshold have no colour; 0 shows all. */
  threshold: number
  /** What is shown, e.g. 'Noise ceiling', and its unit ('' for none). */
  title: string
  unit: string
  signed: boolean
}

export class ColourScale implements ColourScaleParts {
  readonly map: string
  readonly kind: ColourMapKind
  readonly limits: readonly [number, number]
  readonly threshold: number
  readonly title: string
  readonly unit: string
  readonly signed: boolean
  /** 256 × (red, green, blue), sRGB bytes. */
  readonly lut: Uint8Array
  /** Colours per unit of value: `index = floor((value - limits[0]) * perUnit)`. */
  readonly perUnit: number

  constructor(parts: ColourScaleParts) {
    const map = colourMap(parts.map)
    const [lower, upper] = parts.limits
    if (!(upper > lower)) throw new RangeError(`a colour scale needs a lower limit below ${upper}, not ${lower}`)
    this.map = map.name
    this.kind = map.kind
    this.lut = map.table
    this.limits = [f(lower), f(upper)]
    this.threshold = f(parts.threshold)
    this.title = parts.title
    this.unit = parts.unit
    this.signed = parts.signed
    this.perUnit = f(256 / f(f(upper) - f(lower)))
  }

  /** Row of the colour table for `value`, or BELOW, or MISSING. */
  index(value: number): number {
    if (!(Math.abs(value) < 1e38)) return MISSING
    const v = f(value)
    if (Math.abs(v) < this.threshold) return BELOW
    return Math.max(0, Math.min(255, Math.floor(f(f(v - this.limits[0]) * this.perUnit))))
  }

  /** sRGB bytes of a value, or undefined where it has no colour (below the threshold, or missing). */
  rgb(value: number): [number, number, number] | undefined {
    const index = this.index(value)
    if (index < 0) return undefined
    return [this.lut[3 * index], this.lut[3 * index + 1], this.lut[3 * index + 2]]
  }

  /** Values at which a colour bar is marked, ascending: the limits, zero or the middle, and the threshold on either side. */
  ticks(): { value: number; kind: 'limit' | 'middle' | 'threshold' }[] {
    const [lower, upper] = this.limits
    const middle = lower < 0 && upper > 0 ? 0 : (lower + upper) / 2
    const within = [-this.threshold, this.threshold].filter((t) => t !== 0 && t > lower && t < upper)
    return [
      { value: lower, kind: 'limit' as const },
      { value: middle, kind: 'middle' as const },
      { value: upper, kind: 'limit' as const },
      ...within.map((value) => ({ value, kind: 'threshold' as const })),
    ].sort((a, b) => a.value - b.value)
  }

  with(changes: Partial<ColourScaleParts>): ColourScale {
    return new ColourScale({ ...this.parts(), ...changes })
  }

  private parts(): ColourScaleParts {
    const { map, limits, threshold, title, unit, signed } = this
    return { map, limits, threshold, title, unit, signed }
  }
}

/**
 * Limits for values nobody has chosen limits for: the 99th percentile of the finite ones, rounded up to two digits;
 * symmetric when `signed`, from zero up when none is negative.
 */
export function autoLimits(values: Float32Array, signed: boolean): [number, number] {
  const finite = values.filter((v) => Math.abs(v) < 1e38)
  if (finite.length === 0) return signed ? [-1, 1] : [0, 1]
  const sorted = (signed ? finite.map(Math.abs) : finite.slice()).sort()
  const at = (q: number) => sorted[Math.round(q * (sorted.length - 1))]
  const upper = roundUp(at(0.99) || at(1))
  if (signed) return upper > 0 ? [-upper, upper] : [-1, 1]
  const lower = sorted[0] >= 0 ? 0 : -roundUp(-at(0.01))
  return upper > lower ? [lower, upper] : [lower, lower + 1]
}

/** The next number away from zero with two significant digits. */
function roundUp(value: number): number {
  if (!(Math.abs(value) > 0)) return 0
  const exponent = Math.floor(Math.log10(Math.abs(value))) - 1
  const digits = Math.ceil(Number((Math.abs(value) / 10 ** exponent).toPrecision(6)))
  return Number(`${Math.sign(value) * digits}e${exponent}`)
}

/** A copy with missing values (NaN, infinities) as textures hold them. */
export function forTexture(values: Float32Array, target = new Float32Array(values.length)): Float32Array {
  for (let i = 0; i < values.length; i++) target[i] = Math.abs(values[i]) < 1e38 ? values[i] : MISSING_VALUE
  return target
}

/** The same arithmetic for shaders: `colourIndex` gives the row of the table, -1 below the threshold, -2 when missing. */
export const COLOUR_SCALE_GLSL = /* glsl */ `
  uniform float scaleLower;
  uniform float scalePerUnit;
  uniform float scaleThreshold;

  int colourIndex(highp float value) {
    if (!(abs(value) < 1e38)) return -2;
    if (abs(value) < scaleThreshold) return -1;
    return int(clamp(floor((value - scaleLower) * scalePerUnit), 0.0, 255.0));
  }
`
