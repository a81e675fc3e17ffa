/*
 * What people without one kind of cone see, by the matrices of Machado, Oliveira and Fernandes (2009, IEEE TVCG 15:1291) at full severity, which
 * act on linear RGB; colours are compared in CIE Lab.
 */

type Triple = [number, number, number]

export const dichromacies = {
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
} as const
export type Dichromacy = keyof typeof dichromacies

/** `#RRGGBB` as linear RGB in [0, 1]. */
function linear(colour: string): Triple {
  const channel = (at: number) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return [channel(1), channel(3), channel(5)]
}

const clamp = (value: number) => Math.min(1, Math.max(0, value))

function multiply(matrix: readonly number[], [r, g, b]: Triple): Triple {
  const row = (i: number) => matrix[3 * i] * r + matrix[3 * i + 1] * g + matrix[3 * i + 2] * b
  return [row(0), row(1), row(2)]
}

/** CIE Lab under D65. */
function lab(rgb: Triple): Triple {
  const xyz = multiply([0.4124, 0.3576, 0.1805, 0.2126, 0.7152, 0.0722, 0.0193, 0.1192, 0.9505], rgb)
  const white = [0.9505, 1, 1.089]
  const [x, y, z] = xyz.map((value, i) => {
    const t = value / white[i]
    return t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116
  })
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}

/** How far two colours `#RRGGBB` are apart (CIE 1976; about 2 is just seen), for everybody or for people with a dichromacy. */
export function colourDistance(a: string, b: string, kind?: Dichromacy): number {
  const seen = (colour: string): Triple => {
    const rgb = linear(colour)
    return lab(kind ? (multiply(dichromacies[kind], rgb).map(clamp) as Triple) : rgb)
  }
  const [p, q] = [seen(a), seen(b)]
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2])
}

/** Colourfulness: 0 for greys. */
export function chroma(colour: string): number {
  const [, a, b] = lab(linear(colour))
  return Math.hypot(a, b)
}
