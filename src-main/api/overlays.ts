import { MindEyeError } from '../base/errors.ts'
import { sides, type Side } from '../subjects/surfaces/hemisphere.ts'
import type { Overlay } from '../subjects/surfaces/overlay.ts'
import type { Services } from './services.ts'

/** A map from a file, as a page knows it. */
export interface OverlayFacts {
  id: string
  title: string
  kind: Overlay['kind']
  unit: string
  signed: boolean
  /** Of its finite values. */
  min: number
  max: number
  n: number
  detail: string
  /** Maps in the file. */
  frames: number
  /** What can be fetched of it: `voxels`, `left`, `right`. */
  parts: string[]
}

/** Each takes a few megabytes. */
const MOST_KEPT = 16

/** The maps that were dropped on the brain, for as long as the app runs. */
export class Overlays {
  private readonly services: Services
  private readonly kept = new Map<string, { subject: string; overlay: Overlay; frame: number }>()
  private count = 0

  constructor(services: Services) {
    this.services = services
  }

  /** Reads a map in the reader process. The other hemisphere of a map that is here already joins it. */
  async add(
    subject: string,
    path: string,
    { hemisphere, frame }: { hemisphere?: Side; frame: number },
    signal: AbortSignal,
  ): Promise<OverlayFacts> {
    const { folder: subjectFolder } = this.services.workspace.subjects.get(subject)
    const reader = this.services.ctx.reader()
    const overlay = await reader.call('readOverlay', { path, subjectFolder, hemisphere, frame }, { signal })
    for (const [id, other] of this.kept)
      if (other.subject === subject && other.frame === frame && isOtherHalf(other.overlay, overlay)) {
        Object.assign(other.overlay.vertices, overlay.vertices)
        return factsOf(id, other.overlay)
      }
    const id = `overlay-${++this.count}`
    this.kept.set(id, { subject, overlay, frame })
    if (this.kept.size > MOST_KEPT) this.kept.delete(this.kept.keys().next().value!)
    return factsOf(id, overlay)
  }

  /** `voxels` (V) or one hemisphere (N); throws a state error for what is not, or no longer, there. */
  get(subject: string, id: string, part: string): Float32Array {
    const found = this.kept.get(id)
    const side = sides.find((it) => it === part)
    const values = side ? found?.overlay.vertices[side] : part === 'voxels' ? found?.overlay.voxels : undefined
    if (found?.subject === subject && values) return values
    throw new MindEyeError({
      kind: 'state',
      where: subject,
      expected:
        found?.subject === subject
          ? `one of ${partsOf(found.overlay).join(', ')}`
          : 'a map that was dropped on this subject',
      found: `'${id}/${part}'`,
      fix: 'Drop the file again.',
    })
  }
}

const isOtherHalf = (a: Overlay, b: Overlay): boolean =>
  a.kind === 'vertex' &&
  b.kind === 'vertex' &&
  a.title === b.title &&
  Object.keys(b.vertices).every((side) => !(side in a.vertices))

const partsOf = ({ voxels, vertices }: Overlay): string[] => [...(voxels ? ['voxels'] : []), ...Object.keys(vertices)]

function factsOf(id: string, overlay: Overlay): OverlayFacts {
  const { title, kind, frames, detail, voxels, vertices } = overlay
  let min = Infinity
  let max = -Infinity
  let n = 0
  for (const list of [voxels, ...Object.values(vertices)])
    for (const value of list ?? []) {
      if (!Number.isFinite(value)) continue
      n++
      if (value < min) min = value
      if (value > max) max = value
    }
  return { id, title, kind, unit: '', signed: min < 0 && max > 0, min, max, n, detail, frames, parts: partsOf(overlay) }
}
