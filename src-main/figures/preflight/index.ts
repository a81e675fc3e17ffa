import { ownDpi } from '../picturePixels.ts'
import type { Format, JournalPreset } from '../presets.ts'
import type { Mark, Scene } from '../scene.ts'
import { POINTS_PER_MM, round } from '../scene.ts'
import { missingGlyphs } from '../type.ts'
import { chroma, colourDistance, dichromacies } from './vision.ts'
import type { Dichromacy } from './vision.ts'

/** One thing that a journal, or an honest reader, asks of a figure. */
export interface Finding {
  check: string
  title: string
  /** `note`: nothing that stops it, but worth knowing. */
  state: 'ok' | 'note' | 'problem'
  /** What was asked and what was found. */
  detail: string
  /** The culprits. */
  panels: string[]
}

export interface PreflightInput {
  scene: Scene
  preset: JournalPreset
  /** Of one of the preset's widths, in mm. */
  widthMm: number
  format: Format
  dpi: number
  /** Of the written file, where it is written. */
  bytes?: number
  /** Panels that have no data, with what they lack. */
  withoutData?: readonly { id: string; problem: string }[]
}

/** Whatever holds is `ok`; nothing here reads a file or asks anybody. */
export const preflight = (input: PreflightInput): Finding[] =>
  checks.flatMap((check) => {
    const found = check(input)
    return found ? [found] : []
  })

type Check = (input: PreflightInput) => Finding | undefined

const panelsOf = (marks: readonly Mark[]) => [...new Set(marks.flatMap(({ panel }) => panel ?? []))]
const ofKind = <K extends Mark['kind']>({ marks }: Scene, kind: K) =>
  marks.filter((mark): mark is Extract<Mark, { kind: K }> => mark.kind === kind)
const texts = (scene: Scene) => ofKind(scene, 'text')
const points = (value: number) => `${round(value)} pt`

const data: Check = ({ withoutData = [] }) => ({
  ...{ check: 'data', title: 'Every panel has its data' },
  state: withoutData.length ? 'problem' : 'ok',
  detail: withoutData.map(({ problem }) => problem).join(' ') || 'all of them',
  panels: withoutData.map(({ id }) => id),
})

const type: Check = ({ scene, preset }) => {
  const { min = 0, max = Infinity } = preset.type
  const lines = texts(scene).filter(({ size, weight }) => !(weight === 700 && size === preset.letter.size))
  const astray = lines.filter(({ size }) => size < min || size > max)
  const sizes = [...new Set(lines.map(({ size }) => size))].sort((a, b) => a - b)
  const bounds = [preset.type.min && `at least ${points(min)}`, preset.type.max && `at most ${points(max)}`]
  return {
    ...{ check: 'type', title: 'Size of type' },
    state: astray.length ? 'problem' : 'ok',
    detail: `${sizes.map(points).join(', ') || 'no type'}; asked: ${bounds.filter(Boolean).join(', ') || 'not known'}`,
    panels: panelsOf(astray),
  }
}

const cut: Check = ({ scene }) => {
  const short = texts(scene).filter(({ text }) => text.endsWith('…'))
  return {
    ...{ check: 'cut', title: 'No words are cut' },
    state: short.length ? 'problem' : 'ok',
    detail: short.length ? `${short.map(({ text }) => `“${text}”`).join(', ')}: give the panel more columns` : 'none',
    panels: panelsOf(short),
  }
}

const glyphs: Check = ({ scene }) => {
  const without = texts(scene).filter(({ text }) => missingGlyphs(text).length)
  if (!without.length) return undefined
  return {
    ...{ check: 'glyphs', title: 'Characters that the font lacks', state: 'problem' },
    detail: [...new Set(without.flatMap(({ text }) => missingGlyphs(text)))].join(' '),
    panels: panelsOf(without),
  }
}

const strokes: Check = ({ scene, preset }) => {
  const { min, max } = preset.stroke ?? { min: 0.25, max: Infinity }
  const lines = ofKind(scene, 'path').filter(({ stroke }) => stroke)
  const widths = lines.map(({ stroke }) => stroke!.width)
  const astray = lines.filter((_, i) => widths[i] < min || widths[i] > max)
  const [thin, thick] = [Math.min(...widths), Math.max(...widths)]
  return {
    ...{ check: 'strokes', title: 'Width of lines' },
    state: astray.length ? 'problem' : 'ok',
    detail:
      (widths.length ? `${points(thin)} to ${points(thick)}` : 'no lines') +
      (preset.stroke
        ? `; asked: ${points(min)} to ${points(max)}`
        : '; asked: not known, hairlines of 0.25 pt at least'),
    panels: panelsOf(astray),
  }
}

const resolution: Check = ({ preset, dpi }) => {
  const { min, max = Infinity } = preset.dpi
  return {
    ...{ check: 'dpi', title: 'Resolution', panels: [] },
    state: dpi < min || dpi > max ? 'problem' : 'ok',
    detail: `${dpi} dpi; asked: ${min}${preset.dpi.max ? ` to ${max}` : ' at least'}`,
  }
}

const enlarged: Check = ({ scene, preset }) => {
  const images = ofKind(scene, 'image')
  if (!images.length) return undefined
  const coarse = images.filter(({ picture, width }) => ownDpi(picture, width) < preset.dpi.min)
  const [least] = [...coarse].sort((a, b) => a.picture.width - b.picture.width)
  return {
    ...{ check: 'pixels', title: 'Pixels of pictures' },
    state: coarse.length ? 'note' : 'ok',
    detail: least
      ? `pictures of ${least.picture.width} x ${least.picture.height} pixels are enlarged by whole numbers, each pixel a square`
      : `${preset.dpi.min} dpi or more by themselves`,
    panels: panelsOf(coarse),
  }
}

const page: Check = ({ scene, preset, widthMm }) => {
  const [width, height] = [scene.width, scene.height].map((length) => round(length / POINTS_PER_MM))
  const bottom = Math.max(0, ...scene.panels.map(({ box }) => (box.y + box.height) / POINTS_PER_MM))
  const limit = preset.maxHeight ?? Infinity
  const tooHigh = Math.max(height, bottom) > limit + 0.01
  return {
    ...{ check: 'page', title: 'Width and height' },
    state: tooHigh || Math.abs(width - widthMm) > 0.01 ? 'problem' : 'ok',
    detail: `${width} x ${round(Math.max(height, bottom))} mm; asked: ${widthMm} mm wide${preset.maxHeight ? `, at most ${limit} mm high` : ', height not known'}`,
    panels: tooHigh
      ? scene.panels.filter(({ box }) => (box.y + box.height) / POINTS_PER_MM > limit).map(({ id }) => id)
      : [],
  }
}

const file: Check = ({ preset, format, bytes }) => {
  const accepted: readonly string[] = preset.formats
  const tooLarge = bytes !== undefined && bytes > (preset.maxBytes ?? Infinity)
  const size =
    bytes === undefined
      ? ''
      : `, ${(bytes / 1e6).toFixed(1)} MB${preset.maxBytes ? ` of ${preset.maxBytes / 1e6}` : ''}`
  return {
    ...{ check: 'file', title: 'Kind and size of file', panels: [] },
    state: tooLarge || !accepted.includes(format) ? 'problem' : 'ok',
    detail: `${format.toUpperCase()}${size}; asked: ${accepted.join(' or ').toUpperCase()}`,
  }
}

/** How type is in a file of each format. */
const typeIn: Record<Format, string> = {
  pdf: 'embedded as TrueType subsets, text editable',
  svg: 'within the file as a web font, text editable; drawing programs want it installed',
  png: 'drawn as pixels',
  tiff: 'drawn as pixels',
}

const fonts: Check = ({ preset, format }) => ({
  ...{ check: 'fonts', title: 'Fonts', panels: [] },
  state: preset.typeface && !preset.typeface.includes('sans') ? 'note' : 'ok',
  detail: `Inter, ${typeIn[format]}${preset.typeface ? `; asked: ${preset.typeface}` : ''}`,
})

const alpha: Check = ({ scene }) => {
  const colours = scene.marks.flatMap((mark) => coloursOf(mark).map((colour) => ({ mark, colour })))
  const clear = colours.filter(({ colour }) => !/^#[0-9A-F]{6}$/i.test(colour)).map(({ mark }) => mark)
  return {
    ...{ check: 'alpha', title: 'No transparency' },
    state: clear.length ? 'problem' : 'ok',
    detail: clear.length ? 'a colour is not solid' : 'all colours are solid',
    panels: panelsOf(clear),
  }
}

const coloursOf = (mark: Mark): string[] =>
  mark.kind === 'text'
    ? [mark.colour]
    : mark.kind === 'path'
      ? [mark.fill, mark.stroke?.colour].flatMap((c) => c ?? [])
      : []

/** Colours that everybody else tells apart by hue, and some could not. */
const APART = 20
const CONFUSED = 10
const COLOURFUL = 25

const vision: Check = ({ scene }) => {
  const confused = scene.panels.flatMap(({ id }) => {
    const own = scene.marks.filter(({ panel }) => panel === id)
    const colours = [...new Set(own.flatMap(coloursOf))].filter((colour) => chroma(colour) > COLOURFUL)
    const kinds = (Object.keys(dichromacies) as Dichromacy[]).filter((kind) =>
      colours.some((a, i) =>
        colours.slice(i + 1).some((b) => colourDistance(a, b) > APART && colourDistance(a, b, kind) < CONFUSED),
      ),
    )
    return kinds.length ? [{ id, kinds }] : []
  })
  return {
    ...{ check: 'vision', title: 'Colours without red or green cones' },
    state: confused.length ? 'problem' : 'ok',
    detail: confused.length
      ? `colours run together in ${[...new Set(confused.flatMap(({ kinds }) => kinds))].join(', ')}`
      : 'told apart in protanopia, deuteranopia and tritanopia, by simulation',
    panels: confused.map(({ id }) => id),
  }
}

const numbers: Check = ({ scene }) => {
  const estimates = scene.panels.filter(({ facts }) => facts.intervals !== undefined)
  const bare = estimates.filter(({ facts }) => !facts.intervals || !facts.n)
  return {
    ...{ check: 'numbers', title: 'n and intervals' },
    state: bare.length ? 'problem' : 'ok',
    detail: bare.length ? 'an estimate has no interval, or no n' : 'every estimate has both',
    panels: bare.map(({ id }) => id),
  }
}

const unknown: Check = ({ preset }) =>
  preset.checked === undefined
    ? undefined
    : {
        ...{ check: 'rules', title: `${preset.title}’s rules`, panels: [], state: 'note' },
        detail:
          `compared with the publisher’s pages on ${preset.checked}; look again before submitting` +
          (preset.unknown.length ? `. Not known: ${preset.unknown.join(', ')}` : ''),
      }

const checks: readonly Check[] = [
  ...[data, page, type, cut, glyphs, strokes, resolution, enlarged, fonts],
  ...[alpha, file, vision, numbers, unknown],
]
