import { colourOf, colourStrip } from '../cortex/colours.ts'
import type { ColourMapName } from '../cortex/colours.ts'
import { frameOf, paintCortex } from '../cortex/paint.ts'
import type { Direction, PaintedMesh } from '../cortex/paint.ts'
import { line, number, text } from '../marks.ts'
import type { ImageMark, Mark, PaintedPicture } from '../scene.ts'
import { mm, rectangle } from '../scene.ts'
import type { Style } from '../style.ts'
import { ink } from '../style.ts'
import { textWidth } from '../type.ts'
import type { Art } from './art.ts'

export interface CortexData {
  kind: 'cortex'
  /** What is shown, with its unit. */
  title: string
  unit: string
  map: ColourMapName
  limits: [number, number]
  /** Names of the areas whose borders are drawn. */
  areas: string[]
  /** Voxels or trials behind it. */
  n: number
  hemispheres: { left?: PaintedMesh; right?: PaintedMesh }
}

const SMALLEST = mm(25)
const LARGEST = mm(60)

/** From the side and from between the hemispheres; axes are right, anterior, superior. */
const fromLeft: Direction = { right: [0, -1, 0], up: [0, 0, 1], towards: [-1, 0, 0] }
const fromRight: Direction = { right: [0, 1, 0], up: [0, 0, 1], towards: [1, 0, 0] }

interface CortexView {
  label: string
  picture: PaintedPicture
}

/** Made once for data, so that a page laid anew paints nothing anew. */
const made = new WeakMap<CortexData, CortexView[]>()

function viewsOf(data: CortexData): CortexView[] {
  const known = made.get(data)
  if (known) return known
  const colour = colourOf(data.map, data.limits)
  const view = (label: string, mesh: PaintedMesh, direction: Direction): CortexView => {
    const frame = frameOf(mesh, direction)
    const paint = (across: number) => paintCortex(mesh, direction, frame, across, colour)
    return { label, picture: { width: frame.width, height: frame.height, paint } }
  }
  const { left, right } = data.hemispheres
  const views = [
    ...(left ? [view('left, lateral', left, fromLeft), view('left, medial', left, fromRight)] : []),
    ...(right ? [view('right, medial', right, fromLeft), view('right, lateral', right, fromRight)] : []),
  ]
  made.set(data, views)
  return views
}

/** All views at one scale, as many in a row as fit. */
function measure(data: CortexData, width: number, { small }: Style) {
  const views = viewsOf(data)
  const gap = small
  const fitting = Math.min(views.length, Math.floor((width + gap) / (SMALLEST + gap)))
  const across = fitting >= 4 ? 4 : fitting >= 2 ? 2 : 1 // a hemisphere's two views stay together
  const widest = Math.max(...views.map(({ picture }) => picture.width))
  const room = Math.min(LARGEST, (width - (across - 1) * gap) / across)
  const scale = room / widest // points of a millimetre
  const row = Math.max(...views.map(({ picture }) => picture.height)) * scale + small * 2
  return { views, gap, across, room, scale, row, rows: Math.ceil(views.length / across), bar: small * 4.5 }
}

export const cortexArt: Art<CortexData> = {
  height(data, width, style) {
    const { row, rows, bar } = measure(data, width, style)
    return rows * row + bar
  },
  draw(data, box, style) {
    const { views, gap, across, room, scale, row, rows } = measure(data, box.width, style)
    const { small, hairline } = style
    const hint = { size: small, colour: ink.label, anchor: 'middle' } as const
    const marks = views.flatMap(({ label, picture }, i): Mark[] => {
      const middle = box.x + (i % across) * (room + gap) + room / 2
      const top = box.y + Math.floor(i / across) * row
      const [width, height] = [picture.width * scale, picture.height * scale]
      const image: ImageMark = { kind: 'image', x: middle - width / 2, y: top, width, height, picture }
      return [image, text(label, middle, top + row - small * 0.8, hint)]
    })
    const bar = { x: box.x, y: box.y + rows * row + small * 0.5, width: Math.min(mm(35), box.width), height: small }
    const [lower, upper] = data.limits
    const end = bar.x + bar.width
    const below = bar.y + bar.height + small * 1.2
    const beside = end + small * 2
    // Where their names do not fit, the caption alone has them.
    const areas = data.areas.length ? `borders: ${data.areas.join(', ')}` : ''
    const hasRoom = beside + textWidth(areas, { size: small }) <= box.x + box.width
    const digits = upper >= 10 ? 0 : upper >= 0.1 ? 2 : 4
    return [
      ...marks,
      { kind: 'image', ...bar, picture: strip(data.map) },
      line(rectangle(bar), ink.axis, hairline),
      text(number(lower, digits), bar.x, below, { size: small, colour: ink.label }),
      text(number(upper, digits), end, below, { ...hint, anchor: 'end' }),
      text(data.unit ? `${data.title} (${data.unit})` : data.title, bar.x, below + small * 1.4, { size: small }),
      ...(areas && hasRoom ? [text(areas, beside, bar.y + small * 0.85, { size: small, colour: ink.label })] : []),
    ]
  },
  facts: ({ n }) => ({ n }),
  table: ({ hemispheres }) => [
    ['hemisphere', 'vertex', 'value'],
    ...(['left', 'right'] as const).flatMap((side) =>
      [...(hemispheres[side]?.values ?? [])].flatMap((value, vertex) =>
        Number.isFinite(value) ? [[side, vertex, value]] : [],
      ),
    ),
  ],
}

const strips = new Map<ColourMapName, PaintedPicture>()
function strip(map: ColourMapName): PaintedPicture {
  let found = strips.get(map)
  if (!found) strips.set(map, (found = { width: 256, height: 1, paint: () => colourStrip(map) }))
  return found
}
