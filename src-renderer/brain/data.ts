/** What the app knows of a subject's brain, fetched once and kept outside reactivity. */
import type { OverlayFacts } from '../../src-main/api/overlays.ts'
import type { BrainGeometry } from '../../src-main/api/routes/brain.ts'
import type { MapFacts } from '../../src-main/api/voxelMapMaker.ts'
import type { VoxelMapOffer } from '../../src-main/subjects/voxelMaps.ts'
import { getArray, getJson, request, sendJson } from '../shared/api.ts'
import type { Shape, Side } from './scene/types.ts'

export type BrainInfo = BrainGeometry

/** Something that can be shown on the cortex. */
export type MapInfo = VoxelMapOffer

/** Numbers of a map: per voxel (V), or per vertex of both hemispheres, left first. NaN is missing. */
export interface MapValues {
  values: Float32Array
  kind: 'voxel' | 'vertex'
  title: string
  unit: string
  signed: boolean
  /** What exactly is shown, e.g. how many presentations were averaged. */
  detail: string
  /** (V), for slices, where `values` are those of a volume at the vertices. */
  voxels?: Float32Array
}

export interface ParcellationInfo {
  labels: { index: number; name: string; colour: [number, number, number] }[]
}

const MOST_MAPS = 100
const MOST_SUBJECTS = 3

/** A subject's arrays. Each is asked for once; a failed request may be asked again. */
export class SubjectBrain {
  readonly subject: string
  readonly info: BrainInfo
  private readonly kept = new Map<string, Promise<unknown>>()
  private readonly maps = new Map<string, Promise<MapValues>>()

  private constructor(subject: string, info: BrainInfo) {
    this.subject = subject
    this.info = info
  }

  static async load(subject: string): Promise<SubjectBrain> {
    return new SubjectBrain(subject, await getJson<BrainInfo>(pathOf(subject, 'geometry')))
  }

  get sides(): Side[] {
    return (['left', 'right'] as const).filter((side) => this.info.hemispheres[side])
  }

  /** Stations that every hemisphere has. */
  get shapes(): Shape[] {
    const [first, ...rest] = this.sides.map((side) => this.info.hemispheres[side]!.shapes)
    return (first ?? []).filter((shape) => rest.every((shapes) => shapes.includes(shape)))
  }

  faces = (side: Side) => this.array(`${side}/faces`, Uint32Array) // (F * 3)
  shape = (side: Side, shape: Shape) => this.array(`${side}/${shape}`, Float32Array) // (N * 3), mm
  curvature = (side: Side) => this.array(`${side}/curvature`, Float32Array) // (N)
  voxelOf = (side: Side) => this.array(`${side}/voxel`, Int32Array) // (N), -1 for none
  positions = () => this.array('positions', Float32Array) // (V * 3), mm
  ijk = () => this.array('ijk', Int32Array) // (V * 3)
  voxelVertex = () => this.array('voxel-vertex', Int32Array) // (V * 2): hemisphere 0, 1 or -1, and vertex
  masks = () => this.array('rois', Uint8Array) // (ROIs * V)
  pieces = (side: Side, name: string) =>
    this.array(`${side}/parcellation/${encodeURIComponent(name)}/vertices`, Int32Array) // (N)
  parcellation = (side: Side, name: string) =>
    this.once(`${side}/parcellation/${encodeURIComponent(name)}`, (path) => getJson<ParcellationInfo>(path))

  /** Not kept: a run that finishes brings new ones. */
  mapList = (signal?: AbortSignal) => getJson<MapInfo[]>(pathOf(this.subject, 'maps'), signal)

  /** @param choice of the selection, for a map that needs one */
  map(id: string, choice: { trial?: number; run?: string; roi?: string }): Promise<MapValues> {
    const query = Object.entries(choice).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`],
    )
    const path = `map/${encodeURIComponent(id)}${query.length ? `?${query.join('&')}` : ''}`
    return this.keepMap(path, async () => {
      const response = await request(pathOf(this.subject, path))
      const values = new Float32Array(await response.arrayBuffer())
      const about = JSON.parse(response.headers.get('X-Map') ?? '{}') as Partial<MapFacts>
      const { title = id, unit = '', signed = false, detail = '' } = about
      return { values, kind: 'voxel', title, unit, signed, detail }
    })
  }

  /** Reads a file that was dropped or picked; `hemisphere` where its name does not tell. */
  addOverlay = (handle: string, hemisphere?: Side): Promise<OverlayFacts> =>
    sendJson<OverlayFacts>('POST', pathOf(this.subject, 'overlay'), { handle, hemisphere })

  /**
   * The numbers of an overlay: at the vertices where there are any, since a volume reaches beyond the voxels that were imported. What is
   * per vertex is missing on a hemisphere that it has no file of.
   */
  overlay(facts: OverlayFacts): Promise<MapValues> {
    const { id, parts, title, unit, signed, detail } = facts
    const about = { title, unit, signed, detail }
    return this.keepMap(`overlay/${id} ${parts.join()}`, async () => {
      const part = async (name: string) =>
        (await getArray(pathOf(this.subject, `overlay/${encodeURIComponent(id)}/${name}`), Float32Array)).data
      const voxels = parts.includes('voxels') ? await part('voxels') : undefined
      if (voxels && (!this.shapes.length || !this.sides.some((side) => parts.includes(side))))
        return { values: voxels, kind: 'voxel', ...about }
      const count = (side: Side) => this.info.hemispheres[side]!.vertices
      const values = new Float32Array(this.sides.reduce((sum, side) => sum + count(side), 0)).fill(NaN)
      let at = 0
      for (const side of this.sides) {
        if (parts.includes(side)) values.set(await part(side), at)
        at += count(side)
      }
      return { values, kind: 'vertex', ...about, voxels }
    })
  }

  private array<A>(path: string, type: new (buffer: ArrayBuffer) => A): Promise<A> {
    return this.once(path, async (full) => (await getArray(`${full}?v=${this.info.version}`, type)).data)
  }

  private once<T>(path: string, load: (full: string) => Promise<T>): Promise<T> {
    let entry = this.kept.get(path) as Promise<T> | undefined
    if (!entry) {
      entry = load(pathOf(this.subject, path))
      this.kept.set(path, entry)
      entry.catch(() => this.kept.delete(path))
    }
    return entry
  }

  private keepMap(path: string, load: (path: string) => Promise<MapValues>): Promise<MapValues> {
    const entry = this.maps.get(path) ?? load(path)
    this.maps.delete(path)
    this.maps.set(path, entry) // the last one used is dropped last
    entry.catch(() => this.maps.delete(path))
    if (this.maps.size > MOST_MAPS) this.maps.delete(this.maps.keys().next().value!)
    return entry
  }
}

const pathOf = (subject: string, path: string) => `brain/${encodeURIComponent(subject)}/${path}`

const subjects = new Map<string, Promise<SubjectBrain>>()

/** @param added when the subject was imported and its surfaces came: one that is imported anew under the same name is another one */
export function subjectBrain(subject: string, added: string): Promise<SubjectBrain> {
  const key = `${subject} ${added}`
  const entry = subjects.get(key) ?? SubjectBrain.load(subject)
  subjects.delete(key)
  subjects.set(key, entry)
  entry.catch(() => subjects.delete(key))
  if (subjects.size > MOST_SUBJECTS) subjects.delete(subjects.keys().next().value!)
  return entry
}
