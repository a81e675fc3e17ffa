/** The files that a page can be written as. */
export const formats = ['pdf', 'svg', 'png', 'tiff'] as const
export type Format = (typeof formats)[number]

/** What a journal asks of a figure; lengths of pages in mm, of type and lines in points. */
export interface JournalPreset {
  id: string
  title: string
  widths: { name: string; mm: number }[]
  /** Of a page; undefined where the rules name none. */
  maxHeight?: number
  type: {
    /** Smallest and largest size of type but panel letters, where the rules bound them. */
    min?: number
    max?: number
    /** Sizes that a page is set in here. */
    label: number
    small: number
  }
  letter: { style: 'lower' | 'upper'; size: number }
  /** Of pixels at the printed size: what a page is drawn at here, the least, and the most where there is a most. */
  dpi: { used: number; min: number; max?: number }
  /** Lines, where the rules bound them. */
  stroke?: { min: number; max: number }
  formats: readonly Format[]
  maxBytes?: number
  /** Typefaces that the rules name. */
  typeface?: string
  /** What the rules at hand do not say, in words; such things are set here by our own taste. */
  unknown: string[]
  /** When its rules were compared with the publisher's page, ISO 8601; undefined for a page that no publisher rules. */
  checked?: string
}

const CHECKED = '2026-07-23'
const LETTERS = 'the style of panel letters'
const HEIGHT = 'the greatest height'
const STROKES = 'the width of lines'
const BYTES = 'the size of the file'

/** Rules change: look at the journal's own page before submitting. */
export const journalPresets = [
  {
    id: 'nature',
    title: 'Nature',
    widths: [
      { name: 'single', mm: 89 },
      { name: 'middle', mm: 120 },
      { name: 'double', mm: 183 },
    ],
    maxHeight: 247,
    type: { min: 5, max: 7, label: 7, small: 6 },
    letter: { style: 'lower', size: 8 },
    dpi: { used: 450, min: 300, max: 600 },
    formats: ['pdf', 'tiff'],
    typeface: 'Helvetica or Arial',
    unknown: [STROKES, BYTES],
    checked: CHECKED,
  },
  {
    id: 'science',
    title: 'Science',
    widths: [
      { name: 'single', mm: 57 },
      { name: 'middle', mm: 121 },
      { name: 'double', mm: 184 },
    ],
    type: { min: 5, label: 7, small: 6 },
    letter: { style: 'upper', size: 9 },
    dpi: { used: 450, min: 300 },
    formats: ['pdf', 'tiff'],
    typeface: 'a sans serif',
    unknown: [HEIGHT, LETTERS, STROKES, BYTES],
    checked: CHECKED,
  },
  {
    id: 'cell',
    title: 'Cell',
    widths: [
      { name: 'single', mm: 85 },
      { name: 'middle', mm: 114 },
      { name: 'double', mm: 174 },
    ],
    maxHeight: 200,
    type: { min: 6, max: 8, label: 7, small: 6 },
    letter: { style: 'upper', size: 8 },
    dpi: { used: 600, min: 300 },
    stroke: { min: 0.5, max: 1.5 },
    formats: ['pdf', 'tiff'],
    typeface: 'Arial',
    unknown: [BYTES],
    checked: CHECKED,
  },
  {
    id: 'plos',
    title: 'PLOS',
    widths: [
      { name: 'text column', mm: 132 },
      { name: 'page', mm: 190.5 },
      { name: 'narrowest', mm: 66.8 },
    ],
    maxHeight: 222.3,
    type: { min: 8, max: 12, label: 8, small: 8 },
    letter: { style: 'upper', size: 10 },
    dpi: { used: 450, min: 300, max: 600 },
    formats: ['tiff'],
    maxBytes: 10e6,
    typeface: 'Arial, Times or Symbol',
    unknown: [LETTERS, STROKES],
    checked: CHECKED,
  },
  {
    id: 'elsevier',
    title: 'Elsevier',
    widths: [
      { name: 'single', mm: 90 },
      { name: 'middle', mm: 140 },
      { name: 'double', mm: 190 },
    ],
    maxHeight: 240,
    type: { min: 7, label: 7, small: 7 },
    letter: { style: 'upper', size: 9 },
    dpi: { used: 500, min: 300 },
    formats: ['pdf', 'tiff'],
    unknown: [LETTERS, STROKES, BYTES, 'the typeface'],
    checked: CHECKED,
  },
  {
    id: 'ieee',
    title: 'IEEE',
    widths: [
      { name: 'single', mm: 88.9 },
      { name: 'double', mm: 182 },
    ],
    type: { label: 8, small: 7 },
    letter: { style: 'lower', size: 9 },
    dpi: { used: 600, min: 300 },
    formats: ['pdf'],
    unknown: [HEIGHT, LETTERS, STROKES, BYTES, 'the size of type', 'the typeface'],
    checked: CHECKED,
  },
  {
    id: 'slide',
    title: 'Slide 16:9',
    widths: [{ name: 'slide', mm: 338.7 }],
    maxHeight: 190.5,
    type: { min: 12, label: 14, small: 12 },
    letter: { style: 'lower', size: 18 },
    dpi: { used: 192, min: 150 },
    formats: ['pdf', 'svg', 'png', 'tiff'],
    unknown: [],
  },
] as const satisfies readonly JournalPreset[]

export type PresetId = (typeof journalPresets)[number]['id']
export const presetIds = journalPresets.map(({ id }) => id)

export const journalPreset = (id: PresetId): JournalPreset => journalPresets.find((preset) => preset.id === id)!
