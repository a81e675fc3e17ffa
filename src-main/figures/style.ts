import type { JournalPreset } from './presets.ts'

/** Ink on white paper. Journals want no transparency, so tints are colours of their own. */
export const ink = {
  text: '#161B21',
  label: '#47525E',
  hint: '#5D6874',
  line: '#D5DBE1',
  axis: '#828D99',
  well: '#E9E9E9',
} as const

/** Series, the same hues as on the screen in light (after Okabe and Ito): told apart in the three dichromacies. */
export const hues = ['#0072B2', '#D55E00', '#009E73', '#B8578F'] as const

/** The right image among the retrieved. */
export const correct = { frame: '#009E73', text: '#00513F' } as const

/** Sizes of type and lines on a page, in points. */
export interface Style {
  label: number
  small: number
  letter: number
  upper: boolean
  /** Frames, axes and ticks. */
  hairline: number
  /** Curves and intervals. */
  line: number
}

export const styleOf = ({ type, letter, stroke }: JournalPreset): Style => {
  const scale = type.label / 7
  return {
    label: type.label,
    small: type.small,
    letter: letter.size,
    upper: letter.style === 'upper',
    hairline: Math.max(0.5, stroke?.min ?? 0) * Math.max(1, Math.round(scale)),
    line: scale,
  }
}

/** A colour mixed with white. */
export function tint(colour: string, share: number): string {
  const channel = (at: number) => Math.round(255 + (parseInt(colour.slice(at, at + 2), 16) - 255) * share)
  return `#${[1, 3, 5].map((at) => channel(at).toString(16).padStart(2, '0')).join('')}`.toUpperCase()
}
