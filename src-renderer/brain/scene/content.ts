/** What stands in the scene: hemispheres or cubes, and the tables over their elements that the passes read. */
import { type Box3, type Matrix4, Scene, Vector3, Vector4 } from 'three'
import { Cubes, type CubeField } from './cubes.ts'
import { cubeMaterial, surfaceMaterial } from './elementPass.ts'
import { corners, placements } from './layout.ts'
import { Surface } from './surface.ts'
import { ArrayTexture } from './textures.ts'
import { SHAPES, SIDES, type HemisphereMesh, type Pick, type Shape, type Side } from './types.ts'
import { stationWeights } from './views.ts'

/**
 * Elements are what a pixel can show: the left hemisphere's vertices, then the right one's; or the voxels, where cubes are drawn.
 */
export class Content {
  readonly scene = new Scene()
  readonly values = new ArrayTexture((n) => new Float32Array(n))
  readonly voxelOf = new ArrayTexture((n) => new Int32Array(n).fill(-1))
  readonly curvature = new ArrayTexture((n) => new Uint8Array(n))
  readonly keys = new ArrayTexture((n) => new Uint32Array(n))
  /** Colours of a parcellation's pieces, one byte each of red, green and blue from the lowest up. */
  readonly pieceInk = new ArrayTexture((n) => new Uint32Array(n))
  readonly weights = { value: new Vector4(0, 1, 0, 0) }
  readonly surfaces: Partial<Record<Side, Surface>> = {}
  cubes: Cubes | undefined
  shown: Record<Side, boolean> = { left: true, right: true }
  elements = 0
  private morph = 1
  private readonly surfaceMaterial = surfaceMaterial(this.weights)
  private readonly cubeMaterial

  constructor(scaleUniforms: Parameters<typeof cubeMaterial>[0]) {
    this.cubeMaterial = cubeMaterial({
      ...scaleUniforms,
      values: this.values.uniform,
      axes: { value: null },
      shrunk: { value: 1 },
    })
  }

  get isEmpty() {
    return this.elements === 0
  }

  setSurfaces(hemispheres: Partial<Record<Side, HemisphereMesh>>) {
    this.clear()
    for (const side of SIDES) {
      const data = hemispheres[side]
      if (!data) continue
      const surface = new Surface(side, data, this.elements, this.surfaceMaterial)
      this.surfaces[side] = surface
      this.scene.add(surface.mesh)
      this.elements += surface.vertices
    }
    this.fillTables()
    for (const side of SIDES) {
      const surface = this.surfaces[side]
      if (!surface) continue
      this.voxelOf.array.set(surface.data.voxelOf, surface.first)
      const curvature = surface.data.curvature
      for (let v = 0; v < surface.vertices; v++)
        this.curvature.array[surface.first + v] = curvature ? (curvature[v] > 0 ? 255 : 0) : 90
    }
    this.setMorph(this.morph)
  }

  setCubes(field: CubeField) {
    this.clear()
    this.cubes = new Cubes(field, this.cubeMaterial)
    this.scene.add(this.cubes.mesh)
    this.elements = field.centres.length / 3
    this.fillTables()
    for (let v = 0; v < this.elements; v++) this.voxelOf.array[v] = v
    this.curvature.array.fill(90)
  }

  /** Adds a station to a hemisphere, loaded later. */
  setShape(side: Side, shape: Shape, positions: Float32Array) {
    this.surfaces[side]?.setShape(shape, positions)
    this.setMorph(this.morph)
  }

  /** Which of the four stations every hemisphere has. */
  available(): boolean[] {
    const all = Object.values(this.surfaces)
    return SHAPES.map((shape) => all.length > 0 && all.every((surface) => surface.has(shape)))
  }

  setMorph(morph: number) {
    this.morph = morph
    this.weights.value.fromArray(stationWeights(morph, this.available()))
  }

  /** Puts the hemispheres where they belong for this opening, and says where. */
  place(open: number): Record<Side, Matrix4> {
    const placed = placements(this.bounds(), this.apart, open)
    for (const side of SIDES) {
      const mesh = this.surfaces[side]?.mesh
      if (!mesh) continue
      mesh.visible = this.shown[side]
      mesh.matrix.copy(placed[side])
      mesh.matrixWorldNeedsUpdate = true
    }
    return placed
  }

  /** Points around everything that is shown, in the scene's space, with the hemispheres opened that far. */
  extent(open: number): Vector3[] {
    if (this.cubes) return corners({ left: this.cubes.bounds }, placements({}, 0, 0))
    const bounds = this.bounds()
    return corners(bounds, placements(bounds, this.apart, open))
  }

  what(element: number): Pick | undefined {
    if (element < 0 || element >= this.elements) return undefined
    const voxel = this.voxelOf.array[element]
    if (this.cubes) return { voxel }
    const { left } = this.surfaces
    const side = left && element < left.vertices ? 'left' : 'right'
    return { side, vertex: element - this.surfaces[side]!.first, voxel }
  }

  /** Number of a vertex among all elements. */
  elementOf(side: Side, vertex: number): number {
    return (this.surfaces[side]?.first ?? 0) + vertex
  }

  /** Where an element is in the scene's space, mm. */
  pointOf(element: number, open: number): Vector3 | undefined {
    const what = this.what(element)
    if (!what) return undefined
    if (what.side === undefined) return new Vector3(...this.cubes!.at(element))
    const { x, y, z, w } = this.weights.value
    const point = new Vector3(...this.surfaces[what.side]!.at(what.vertex, [x, y, z, w]))
    return point.applyMatrix4(placements(this.bounds(), this.apart, open)[what.side])
  }

  dispose() {
    this.clear()
    for (const table of [this.values, this.voxelOf, this.curvature, this.keys, this.pieceInk]) table.dispose()
    this.surfaceMaterial.dispose()
    this.cubeMaterial.dispose()
  }

  /** 0 for anatomy, 1 for inflated and flat surfaces, which share one space and must be moved apart. */
  private get apart() {
    return this.weights.value.z + this.weights.value.w
  }

  private bounds(): Partial<Record<Side, Box3>> {
    const { x, y, z, w } = this.weights.value
    const bounds: Partial<Record<Side, Box3>> = {}
    for (const side of SIDES) if (this.shown[side]) bounds[side] = this.surfaces[side]?.boundsAt([x, y, z, w])
    return bounds
  }

  private fillTables() {
    for (const table of [this.voxelOf, this.curvature, this.keys, this.pieceInk]) {
      table.reserve(this.elements)
      table.upload()
    }
    this.keys.array.fill(0)
    this.voxelOf.array.fill(-1)
  }

  private clear() {
    for (const side of SIDES) {
      this.surfaces[side]?.dispose()
      delete this.surfaces[side]
    }
    this.cubes?.dispose()
    this.cubes = undefined
    this.scene.clear()
    this.elements = 0
  }
}
