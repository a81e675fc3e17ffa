/**
 * The cortex on a canvas, without Vue: what stands there, in which colours, seen from where.
 *
 * Draws on demand only. Geometry is drawn into a picture of element numbers (elementPass.ts) when the camera, the morph or the meshes
 * change; colours are made from it (resolve.ts) when they alone change; picking reads it.
 */
import { forTexture, type ColourScale } from '../../shared/colourScale.ts'
import { Content } from './content.ts'
import type { CubeField } from './cubes.ts'
import { labelsFrom, type Label } from './labels.ts'
import type { SpeedReport } from './meter.ts'
import { Painter } from './painter.ts'
import { MOST_SETS, Outlines, type Outline, type Parcels } from './outlines.ts'
import { ResolvePass, scaleUniforms, setScaleUniforms } from './resolve.ts'
import { CameraRig, fit } from './rig.ts'
import { fillLut, lutTexture } from './textures.ts'
import type { Colour, HemisphereMesh, Pick, SceneEvents, Shape, Side } from './types.ts'
import { copyView, FLAT_ORIENTATION, orbit, VIEWS, type View, type ViewName } from './views.ts'

const REST_MS = 160
const LABEL_SCALE = 4 // labels are placed on a picture of this many CSS pixels per pixel

export class BrainScene {
  readonly canvas: HTMLCanvasElement
  readonly content: Content
  readonly rig = new CameraRig()
  /** Moves are made at once, for people who asked for less motion. */
  still = false
  /** CSS pixels at the edges of the canvas that fitting keeps free. */
  insets = { right: 0, bottom: 0 }
  private readonly events: SceneEvents
  private readonly painter: Painter
  private readonly resolve: ResolvePass
  private readonly scale = scaleUniforms()
  private readonly lut = lutTexture()
  private readonly outlines = new Outlines()
  private shape = 1
  /** The view before the slider went towards the flat map, to come back to. */
  private beforeFlat: View | undefined
  private sized = false
  private frame = 0
  private restTimer: ReturnType<typeof setTimeout> | undefined
  private stale = { ids: true, colours: true }
  private lost = false
  private paints = 0
  /** Pictures whose elements were drawn anew. */
  private moves = 0

  constructor(canvas: HTMLCanvasElement, events: SceneEvents = {}) {
    this.canvas = canvas
    this.events = events
    this.content = new Content(this.scale)
    const { values, voxelOf, curvature, keys, pieceInk } = this.content
    this.resolve = new ResolvePass(this.scale, {
      values: values.uniform,
      voxelOf: voxelOf.uniform,
      curvature: curvature.uniform,
      keys: keys.uniform,
      pieceInk: pieceInk.uniform,
      lut: { value: this.lut },
    })
    this.painter = new Painter(canvas, this.resolve)
    canvas.addEventListener('webglcontextlost', this.onLost)
    canvas.addEventListener('webglcontextrestored', this.onRestored)
  }

  // What stands there

  setSurfaces(hemispheres: Partial<Record<Side, HemisphereMesh>>) {
    this.content.setSurfaces(hemispheres)
    this.changedContent()
  }

  setShape(side: Side, shape: Shape, positions: Float32Array) {
    const before = this.fitted(this.rig.goal)
    this.content.setShape(side, shape, positions)
    this.follow(before)
    this.draw('ids')
  }

  setCubes(field: CubeField) {
    this.content.setCubes(field)
    this.changedContent()
  }

  // In which colours

  /** Values per voxel (V), or per vertex of the shown hemispheres, left first; NaN is missing. Undefined shows anatomy. */
  setValues(values: Float32Array | undefined, kind: 'voxel' | 'vertex' = 'voxel') {
    const { uniforms } = this.resolve
    uniforms.hasValues.value = values !== undefined
    uniforms.perVertex.value = kind === 'vertex'
    if (values) {
      this.content.values.reserve(values.length)
      forTexture(values, this.content.values.array)
      this.content.values.upload()
    }
    this.draw(this.content.cubes ? 'ids' : 'colours') // cubes change their size with the threshold
  }

  setScale(scale: ColourScale) {
    setScaleUniforms(this.scale, scale)
    fillLut(this.lut, scale.lut)
    this.draw(this.content.cubes ? 'ids' : 'colours')
  }

  /** Sets to outline, at most MOST_SETS, and a parcellation of which every piece is outlined. */
  setOutlines(sets: readonly Outline[], parcels?: Parcels) {
    this.outlines.sets = sets.slice(0, MOST_SETS)
    this.outlines.parcels = parcels
    this.outlines.fill(this.content)
    const { uniforms } = this.resolve
    this.outlines.sets.forEach(({ colour }, bit) =>
      uniforms.outlineColours.value[bit].fromArray(colour.map((byte) => byte / 255)),
    )
    uniforms.hasOutlines.value = !this.outlines.isEmpty
    this.draw('colours')
  }

  setSelected(voxel: number | undefined) {
    this.resolve.uniforms.selected.value = voxel ?? -1
    this.draw('colours')
  }

  setTheme(background: Colour, selection: Colour) {
    this.resolve.uniforms.background.value.fromArray(background.map((byte) => byte / 255))
    this.resolve.uniforms.selectionColour.value.fromArray(selection.map((byte) => byte / 255))
    this.draw('colours')
  }

  // Seen from where

  get morph() {
    return this.shape
  }

  /** 0 white, 1 pial, 2 inflated, 3 flat; towards flat the camera turns to look at the map from above. */
  setMorph(morph: number) {
    const before = this.fitted(this.rig.goal)
    const flatBefore = this.flatness
    this.shape = morph
    this.content.setMorph(morph)
    const flat = this.flatness
    if (flatBefore === 0 && flat > 0) this.beforeFlat = copyView(this.rig.goal)
    if (this.beforeFlat && flat !== flatBefore) {
      const { orientation, open } = this.beforeFlat
      const view = copyView(this.rig.goal)
      view.orientation = orientation.clone().slerp(FLAT_ORIENTATION, flat)
      view.open = open * (1 - flat)
      this.rig.go(view, false)
    }
    if (flat === 0) this.beforeFlat = undefined
    this.follow(before)
    this.draw('ids')
  }

  setHemispheres(shown: Record<Side, boolean>) {
    this.content.shown = { ...shown }
    this.look({})
  }

  /** One of the standard views, fitted to what is shown. */
  setView(name: ViewName) {
    const { orientation, open } = VIEWS[name]
    this.beforeFlat = undefined
    this.look({ orientation, open })
  }

  /** Fits the view to what is shown; `change` says what else is new about it. */
  look(change: { orientation?: View['orientation']; open?: number }, animate = true) {
    const goal = { ...copyView(this.rig.goal), ...change }
    Object.assign(goal, this.fitted(goal))
    this.rig.go(goal, animate && !this.still)
    this.draw('ids')
  }

  /** Goes to a view as it is. */
  show(view: View) {
    this.beforeFlat = undefined
    this.rig.go(copyView(view), !this.still)
    this.draw('ids')
  }

  /** From behind, a little to the left and from above: the faces of cubes are told apart. */
  lookOblique(animate = true) {
    this.look({ orientation: orbit(VIEWS.caudal.orientation, -0.5, -0.35), open: 0 }, animate)
  }

  /** The flat map from above. */
  lookFlat() {
    this.look({ orientation: FLAT_ORIENTATION.clone(), open: 0 })
  }

  rotate(dx: number, dy: number) {
    this.beforeFlat = undefined
    this.rig.rotate(dx, dy, this.painter.height)
    this.draw('ids')
  }

  pan(dx: number, dy: number) {
    this.rig.pan(dx, dy, this.painter.height)
    this.draw('ids')
  }

  /** Closer by a factor > 1, around a point of the canvas; its middle by default. */
  zoom(factor: number, at?: { x: number; y: number }) {
    const { width, height } = this.painter
    this.rig.zoom(factor, at ? at.x - width / 2 : 0, at ? at.y - height / 2 : 0, height)
    this.draw('ids')
  }

  resize(width: number, height: number, ratio: number) {
    const before = this.aspect
    this.painter.resize(width, height, ratio)
    // A narrower picture shows the same width.
    if (this.sized && this.aspect < before) this.rig.view.height *= before / this.aspect
    if (!this.sized) this.look({}, false)
    this.sized = true
    this.stale.ids = true
    this.paintNow() // a resized canvas is blank until it is painted
  }

  // Asking the picture

  /** What is at a point of the canvas (CSS pixels from its upper left). */
  async pick(x: number, y: number): Promise<Pick | undefined> {
    if (this.lost || this.content.isEmpty) return undefined
    this.paintNow()
    return this.content.what(await this.painter.elementAt(x, y))
  }

  /** Where a vertex or voxel is on the canvas, CSS pixels, whether or not something is in front of it. */
  project(element: number): { x: number; y: number } | undefined {
    const { view } = this.rig
    const { width, height } = this.painter
    const point = this.content.pointOf(element, view.open)?.project(this.rig.camera(this.aspect))
    return point && { x: ((point.x + 1) / 2) * width, y: ((1 - point.y) / 2) * height }
  }

  /**
   * The scene as RGBA bytes from the upper left, as for a figure: same passes, any size.
   *
   * @param options.pixel pixels per CSS pixel, for line widths; `background` undefined leaves it transparent
   */
  renderToPixels(
    width: number,
    height: number,
    options: { view?: View; pixel?: number; background?: Colour; selection?: boolean } = {},
  ): Uint8ClampedArray<ArrayBuffer> {
    const view = options.view ?? this.rig.view
    const uniforms = this.resolve.uniforms
    const kept = [uniforms.alpha.value, uniforms.background.value.clone(), uniforms.selected.value] as const
    uniforms.alpha.value = options.background ? 1 : 0
    if (options.background) uniforms.background.value.fromArray(options.background.map((byte) => byte / 255))
    if (options.selection === false) uniforms.selected.value = -1
    this.content.place(view.open)
    const pixels = this.painter.renderToPixels(this.content.scene, {
      width,
      height,
      pixel: options.pixel ?? height / this.painter.height,
      camera: this.rig.camera(width / height, view),
    })
    ;[uniforms.alpha.value, uniforms.background.value, uniforms.selected.value] = kept
    return pixels
  }

  /** Labels of the outlined sets that are seen, in CSS pixels of a picture of that size. */
  async labels(width = this.painter.width, height = this.painter.height, view = this.rig.view): Promise<Label[]> {
    if (this.outlines.isEmpty || this.content.isEmpty || this.lost) return []
    const [w, h] = [Math.ceil(width / LABEL_SCALE), Math.ceil(height / LABEL_SCALE)]
    this.content.place(view.open)
    const bytes = await this.painter.readIds(this.content.scene, this.rig.camera(width / height, view), w, h)
    const keys = this.content.keys.array
    return labelsFrom(
      { bytes, width: w, height: h, step: LABEL_SCALE },
      this.content.surfaces.left?.vertices ?? 0,
      (e) => this.outlines.namesAt(e, keys),
    )
  }

  report(): SpeedReport {
    return this.painter.meter.report()
  }

  // Drawing

  /** Asks for a frame; `ids` when anything moved, `colours` when only colours did. */
  draw(what: 'ids' | 'colours') {
    if (what === 'ids') this.stale.ids = true
    this.stale.colours = true
    if (this.frame || this.lost) return
    this.frame = requestAnimationFrame((now) => {
      this.frame = 0
      const moving = this.rig.step(now)
      this.paint()
      if (moving) this.draw('ids')
    })
  }

  /** Paints what is not up to date, without waiting for the next frame. */
  paintNow() {
    if (this.stale.ids || this.stale.colours) this.paint()
  }

  dispose() {
    cancelAnimationFrame(this.frame)
    clearTimeout(this.restTimer)
    this.paints = this.moves = -1
    this.canvas.removeEventListener('webglcontextlost', this.onLost)
    this.canvas.removeEventListener('webglcontextrestored', this.onRestored)
    this.content.dispose()
    this.resolve.dispose()
    this.lut.dispose()
    this.painter.dispose()
  }

  /** CSS pixels. */
  get size() {
    const { width, height } = this.painter
    return { width, height }
  }

  private get aspect() {
    return this.painter.width / this.painter.height
  }

  /** How far the shape is towards the flat map, 0 to 1. */
  private get flatness() {
    return this.content.weights.value.w
  }

  private fitted(view: View) {
    return fit(this.content.extent(view.open), view.orientation, this.painter, this.insets)
  }

  /** Keeps zoom and place relative to what is shown, whose size has changed since `before`. */
  private follow(before: ReturnType<typeof fit>) {
    const view = copyView(this.rig.goal)
    const after = this.fitted(view)
    view.height *= after.height / before.height
    view.target.add(after.target).sub(before.target)
    this.rig.go(view, false)
  }

  private changedContent() {
    this.resolve.uniforms.hasEdges.value = this.content.cubes !== undefined
    this.setOutlines([])
    this.look({}, false)
  }

  private paint() {
    if (this.lost) return
    const start = performance.now()
    const { ids } = this.stale
    const { meter } = this.painter
    this.stale = { ids: false, colours: false }
    if (ids) {
      this.moves++
      this.content.place(this.rig.view.open)
    }
    const camera = ids ? this.rig.camera(this.aspect) : undefined
    const done = this.painter.paint(this.content.scene, camera, meter.isSlow ? 'coarse' : 'plain')
    meter.note(start, performance.now())
    this.events.frame?.(this.rig.view)
    clearTimeout(this.restTimer)
    const paint = ++this.paints
    void done.then(() => {
      if (paint === this.paints) this.restTimer = setTimeout(() => this.rest(), REST_MS)
    })
  }

  /** At rest there is time for the finest picture, and for labels. */
  private rest() {
    if (this.lost || this.frame) return // a frame to come rests anew
    if (!this.painter.isFinest) {
      this.content.place(this.rig.view.open)
      void this.painter.paint(this.content.scene, this.rig.camera(this.aspect), 'finest')
    }
    const { moves } = this
    void this.labels().then((labels) => {
      // Of another view, or of a scene that is gone, they are worth nothing.
      if (moves === this.moves && !this.lost) this.events.rest?.(labels)
    })
  }

  private readonly onLost = (event: Event) => {
    event.preventDefault() // says that we can come back
    this.lost = true
    this.events.context?.(true)
  }

  private readonly onRestored = () => {
    this.lost = false
    this.events.context?.(false)
    this.draw('ids')
  }
}
