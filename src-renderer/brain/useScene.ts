/** Keeps a BrainScene on a canvas in step with the stores; hands out what the panel shows around it. */
import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { theme } from '../app/theme.ts'
import { toProblem, type Problem } from '../shared/api.ts'
import { useSelection } from '../shared/selection.ts'
import type { SubjectBrain } from './data.ts'
import { outlineSets, piecesOf } from './outlineSets.ts'
import { ReadoutMaker, type Readout } from './readout.ts'
import { sheet } from './scene/cubes.ts'
import { listen } from './scene/input.ts'
import type { Label } from './scene/labels.ts'
import { BrainScene } from './scene/scene.ts'
import { SHAPES, type Pick, type Shape } from './scene/types.ts'
import type { View, ViewName } from './scene/views.ts'
import { sheetOrder } from './sheetOrder.ts'
import { useBrain } from './store.ts'
import type { useBrainData } from './useBrainData.ts'
import { fromPlain, isSameView, toPlain } from './plainView.ts'

export type SceneMode = 'surfaces' | 'cubes' | 'sheet'

export function useScene(canvas: Ref<HTMLCanvasElement | null>, data: ReturnType<typeof useBrainData>) {
  const store = useBrain()
  const selection = useSelection()
  const scene = shallowRef<BrainScene>()
  const mode = ref<SceneMode>()
  const labels = shallowRef<Label[]>([])
  const view = shallowRef<View>()
  const hovered = shallowRef<Readout>()
  const selected = shallowRef<Readout>()
  const problem = shallowRef<Problem>()
  /** Of the canvas, CSS pixels. */
  const width = ref(600)
  const isLost = ref(false)
  const isBuilding = ref(false)
  const readouts = shallowRef<ReadoutMaker>()
  let made: BrainScene | undefined

  let again: (() => void) | undefined
  /** Somebody moved the camera: a view worth remembering, and undoing. */
  let isTouched = false

  function start(element: HTMLCanvasElement) {
    try {
      made = new BrainScene(element, {
        frame: (now) => (view.value = now),
        rest: (seen) => {
          labels.value = seen
          if (isTouched) store.view = toPlain(made!.rig.goal)
          again?.()
        },
        context: (lost) => (isLost.value = lost),
      })
    } catch (error) {
      problem.value = {
        message: 'The cortex cannot be drawn',
        expected: 'a browser that draws with WebGL 2',
        found: toProblem(error).message,
        fix: 'Turn on hardware acceleration in the browser, or update the graphics driver.',
      }
      return
    }
    const reduced = matchMedia('(prefers-reduced-motion: reduce)')
    made.still = reduced.matches
    const follow = () => made && (made.still = reduced.matches)
    reduced.addEventListener('change', follow)
    const input = listen(made, {
      hover: (pick) => (hovered.value = pick && readouts.value?.at(pick)),
      click: (pick) => pick && select(pick),
      moved: () => {
        isTouched = true
        labels.value = []
      },
    })
    const stopSizes = onPixelSize(element, (pixelWidth, pixelHeight) => {
      const [w, h] = [pixelWidth / devicePixelRatio, pixelHeight / devicePixelRatio]
      if (!made) return
      width.value = w
      made.insets = insetsFor(w, h)
      made.resize(w, h, devicePixelRatio)
    })
    again = input.again
    scene.value = made
    onDispose.push(() => {
      // The browser keeps whoever listens to a media query, and with it this canvas and the page it stood in.
      reduced.removeEventListener('change', follow)
      stopSizes()
      input.stop()
      made?.dispose()
      made = undefined
    })
  }
  const onDispose: (() => void)[] = []
  onScopeDispose(() => onDispose.forEach((stop) => stop()))
  watch(canvas, (element) => element && !made && start(element), { immediate: true, flush: 'post' })

  function select({ voxel, side, vertex }: Pick) {
    if (voxel < 0) return
    selection.voxel = voxel
    selected.value = readouts.value?.at({ voxel, side, vertex } as Pick)
  }

  // What stands there

  let building = 0
  async function build(brain: SubjectBrain, target: BrainScene) {
    const turn = ++building
    const isCurrent = () => turn === building && target === made
    isBuilding.value = true
    problem.value = undefined
    await nextPicture()
    if (!isCurrent()) return
    try {
      const next: SceneMode = brain.shapes.length ? 'surfaces' : brain.info.positions ? 'cubes' : 'sheet'
      const maker = new ReadoutMaker(brain)
      if (next === 'surfaces') await buildSurfaces(brain, target, isCurrent)
      else if (next === 'cubes') {
        const centres = await brain.positions()
        if (!isCurrent()) return
        target.setCubes({ centres, axes: voxelAxes(brain), shrunk: 0.3 })
      } else {
        const masks = brain.info.rois.length ? await brain.masks() : undefined
        if (!isCurrent()) return
        target.setCubes(sheet(sheetOrder(brain.info.voxels, masks)))
      }
      if (!isCurrent()) return
      void maker.load().then(describe, (error: unknown) => isCurrent() && (problem.value = toProblem(error)))
      mode.value = next
      readouts.value = maker
      target.setHemispheres({ left: store.left, right: store.right })
      if (store.view && next !== 'sheet') target.show(fromPlain(store.view))
      else lookAtFirst(target, next)
      refresh()
    } catch (error) {
      if (isCurrent()) problem.value = toProblem(error)
    } finally {
      if (turn === building) isBuilding.value = false
    }
  }

  /** The station that is shown comes first, the others as they arrive. */
  async function buildSurfaces(brain: SubjectBrain, target: BrainScene, isCurrent: () => boolean) {
    const first = nearestShape(brain.shapes, store.morph)
    store.morph = SHAPES.indexOf(first)
    const hemispheres = Object.fromEntries(
      await Promise.all(
        brain.sides.map(async (side) => {
          const [faces, voxelOf, points, curvature] = await Promise.all([
            brain.faces(side),
            brain.voxelOf(side),
            brain.shape(side, first),
            brain.info.hemispheres[side]!.curvature ? brain.curvature(side) : undefined,
          ])
          return [side, { faces, voxelOf, curvature, shapes: { [first]: points } }] as const
        }),
      ),
    )
    if (!isCurrent()) return
    target.setSurfaces(hemispheres)
    target.setMorph(store.morph)
    const later = async () => {
      for (const shape of brain.shapes)
        if (shape !== first)
          for (const side of brain.sides) {
            const points = await brain.shape(side, shape)
            if (!isCurrent()) return
            target.setShape(side, shape, points)
          }
    }
    void later().catch((error: unknown) => isCurrent() && (problem.value = toProblem(error)))
  }

  watch([scene, () => data.brain.value], ([target, brain]) => target && brain && void build(brain, target), {
    immediate: true,
  })

  // In which colours

  function refresh() {
    paintValues()
    void paintOutlines()
    scene.value?.setSelected(selection.voxel)
    describe()
  }

  function paintValues() {
    const shown = data.shown.value
    if (!scene.value || !mode.value) return
    // Per vertex means nothing where there are no vertices.
    const fits = shown && (shown.kind === 'voxel' || mode.value === 'surfaces')
    if (store.scale) scene.value.setScale(store.scale)
    scene.value.setValues(fits ? shown.values : undefined, shown?.kind)
    if (readouts.value) readouts.value.shown = fits ? shown : undefined
  }

  async function paintOutlines() {
    const [target, brain] = [scene.value, data.brain.value]
    if (!target || !mode.value || !brain) return
    try {
      const pieces = store.parcellation ? await piecesOf(brain, store.parcellation, target.content) : undefined
      if (target !== made || brain !== data.brain.value) return
      target.setOutlines(outlineSets(data.outlined.value, data.masks.value, brain.info.voxels, target.content), pieces)
      if (readouts.value) readouts.value.pieces = pieces
    } catch (error) {
      problem.value = toProblem(error)
    }
  }

  /** What is selected, told anew when the map or the selection changes. */
  function describe() {
    const maker = readouts.value
    if (!maker) return
    const { voxel } = selection
    if (voxel === undefined || voxel >= maker.brain.info.voxels) selected.value = undefined
    else if (selected.value?.voxel === voxel) selected.value = maker.again(selected.value)
    else selected.value = maker.ofVoxel(voxel)
    if (hovered.value) hovered.value = maker.again(hovered.value)
  }

  watch([() => data.shown.value, () => store.scale], () => {
    paintValues()
    describe()
  })
  watch([() => data.outlined.value, () => data.masks.value, () => store.parcellation], () => void paintOutlines())
  watch(
    () => selection.voxel,
    (voxel) => {
      scene.value?.setSelected(voxel)
      describe()
    },
  )
  watch(
    [scene, theme],
    ([target]) => {
      const style = getComputedStyle(document.documentElement)
      target?.setTheme(bytesOf(style.getPropertyValue('--well')), bytesOf(style.getPropertyValue('--accent')))
    },
    { immediate: true, flush: 'post' },
  )

  // Seen from where

  watch(
    () => store.morph,
    (morph) => {
      if (mode.value === 'surfaces' && scene.value && scene.value.morph !== morph) scene.value.setMorph(morph)
    },
  )
  watch([() => store.left, () => store.right], ([left, right]) => scene.value?.setHemispheres({ left, right }))
  watch(
    () => store.view,
    (plain) => {
      const target = scene.value
      if (!target || !mode.value) return
      if (!plain) lookAtFirst(target, mode.value)
      else if (!isSameView(plain, toPlain(target.rig.goal))) target.show(fromPlain(plain))
    },
  )

  /** A standard view; a flat map has one side only, so it is inflated for them. */
  function goTo(name: ViewName) {
    isTouched = true
    if (store.morph > 2) setMorph(nearestShape(stationsBelowFlat(), 2))
    scene.value?.setView(name)
  }
  const stationsBelowFlat = () => (data.brain.value?.shapes ?? []).filter((shape) => shape !== 'flat')

  /** Sets the shape at once, before the camera is told where to go. */
  function setMorph(shape: Shape | undefined) {
    if (!shape || !data.brain.value?.shapes.includes(shape)) return
    store.morph = SHAPES.indexOf(shape)
    scene.value?.setMorph(store.morph)
  }

  function lookFrom(orientation: View['orientation']) {
    isTouched = true
    scene.value?.look({ orientation: orientation.clone(), open: 0 })
  }

  function inflate() {
    const shapes = stationsBelowFlat()
    const wasFlat = store.morph > 2
    setMorph(store.morph === 2 ? shapes.findLast((shape) => shape !== 'inflated') : 'inflated')
    if (wasFlat) scene.value?.setView('caudal')
  }

  function flatten() {
    isTouched = true
    if (store.morph === 3) goTo('caudal')
    else if (data.brain.value?.shapes.includes('flat')) {
      setMorph('flat')
      scene.value?.lookFlat()
    }
  }

  /** The first view, with everything in it. */
  function reset() {
    store.left = store.right = true
    if (mode.value === 'surfaces') goTo('caudal')
    else if (mode.value && scene.value) lookAtFirst(scene.value, mode.value)
  }

  const hoverVoxel = (voxel: number | undefined) =>
    (hovered.value = voxel === undefined ? undefined : readouts.value?.ofVoxel(voxel))

  return {
    scene,
    mode,
    labels,
    view,
    hovered,
    selected,
    problem,
    isLost,
    isBuilding,
    goTo,
    lookFrom,
    inflate,
    flatten,
    reset,
    hoverVoxel,
    width,
  }
}

/** What other panels say of a new subject is seen before the meshes keep the page busy. */
const nextPicture = () => new Promise<void>((resolve) => requestAnimationFrame(() => setTimeout(resolve)))

function lookAtFirst(scene: BrainScene, mode: SceneMode) {
  if (mode === 'surfaces') scene.setView('caudal')
  else if (mode === 'cubes') scene.lookOblique()
  else scene.setView('superior')
}

/**
 * Tells the size of an element in pixels of the screen, at first and whenever it changes. A tile lies at fractions of a pixel; its canvas is
 * shown on whole ones, and must have as many of its own to be shown pixel by pixel.
 */
function onPixelSize(element: Element, each: (width: number, height: number) => void): () => void {
  const observer = new ResizeObserver(([entry]) => {
    const box = entry.devicePixelContentBoxSize?.[0]
    const { clientWidth, clientHeight } = entry.target
    const width = box?.inlineSize ?? Math.round(clientWidth * devicePixelRatio)
    const height = box?.blockSize ?? Math.round(clientHeight * devicePixelRatio)
    if (width && height) each(width, height)
  })
  try {
    observer.observe(element, { box: 'device-pixel-content-box' })
  } catch {
    observer.observe(element) // a browser that does not tell
  }
  return () => observer.disconnect()
}

/** What the readout, the colour bar and the cube cover of the canvas, where there is room beside them. */
const insetsFor = (width: number, height: number) => ({
  right: width > 520 ? 88 : 0,
  bottom: width < 400 || height < 280 ? 52 : 76,
})

function nearestShape(shapes: readonly Shape[], morph: number): Shape {
  const off = (shape: Shape) => Math.abs(SHAPES.indexOf(shape) - morph)
  return shapes.reduce((best, shape) => (off(shape) < off(best) ? shape : best))
}

/** Edges of a voxel, mm, as columns; cubes of 2 mm where the volume is unknown. */
function voxelAxes({ info }: SubjectBrain): number[] {
  const a = info.volume?.affine
  return a ? [a[0], a[1], a[2], a[4], a[5], a[6], a[8], a[9], a[10]] : [2, 0, 0, 0, 2, 0, 0, 0, 2]
}

/** '#1a66b3' as bytes. */
function bytesOf(hex: string): [number, number, number] {
  const number = parseInt(hex.trim().slice(1), 16)
  return [number >> 16, (number >> 8) & 255, number & 255]
}
