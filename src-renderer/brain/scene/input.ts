/** Pointer, wheel and keys on the canvas: turn, shift, zoom; hover and click. */
import type { BrainScene } from './scene.ts'
import type { Pick } from './types.ts'

export interface InputEvents {
  /** What is under the pointer; undefined when it is nothing or gone. */
  hover(pick: Pick | undefined): void
  click(pick: Pick | undefined): void
  /** The camera was moved by hand. */
  moved(): void
}

const CLICK_PX = 4
const KEY_STEP_PX = 24

/** Listens until `stop` is called; `again` asks anew what is under a resting pointer, after the picture has changed. */
export function listen(scene: BrainScene, events: InputEvents): { stop(): void; again(): void } {
  const { canvas } = scene
  const stop = new AbortController()
  const on = <K extends keyof HTMLElementEventMap>(type: K, handler: (event: HTMLElementEventMap[K]) => void) =>
    canvas.addEventListener(type, handler, { signal: stop.signal, passive: false })

  let drag: { x: number; y: number; far: number; pan: boolean } | undefined
  let hovering = false
  let next: { x: number; y: number } | undefined
  let last: { x: number; y: number } | undefined

  /** CSS pixels from the upper left of the picture, which begins at a whole pixel of the screen wherever the canvas lies. */
  function placeOf({ clientX, clientY }: MouseEvent) {
    const { left, top } = canvas.getBoundingClientRect()
    const whole = (edge: number) => Math.round(edge * devicePixelRatio) / devicePixelRatio
    return { x: clientX - whole(left), y: clientY - whole(top) }
  }

  // One question at a time; the last place asked about wins.
  async function hover(x: number, y: number) {
    next = last = { x, y }
    if (hovering) return
    hovering = true
    while (next) {
      const at: { x: number; y: number } = next
      next = undefined
      const pick = await scene.pick(at.x, at.y)
      if (!stop.signal.aborted && !drag && last) events.hover(pick) // unless the pointer has left meanwhile
    }
    hovering = false
  }

  on('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId)
    drag = { ...placeOf(event), far: 0, pan: event.button !== 0 || event.shiftKey }
  })
  on('pointermove', (event) => {
    const { x, y } = placeOf(event)
    if (!drag) return void hover(x, y)
    const [dx, dy] = [x - drag.x, y - drag.y]
    drag.far += Math.hypot(dx, dy)
    ;[drag.x, drag.y] = [x, y]
    if (drag.far < CLICK_PX) return
    if (drag.pan) scene.pan(dx, dy)
    else scene.rotate(dx, dy)
    events.moved()
  })
  on('pointerup', (event) => {
    const isClick = drag !== undefined && drag.far < CLICK_PX && event.button === 0
    drag = undefined
    if (!isClick) return
    const { x, y } = placeOf(event)
    void scene.pick(x, y).then((pick) => stop.signal.aborted || events.click(pick))
  })
  on('pointercancel', () => (drag = undefined))
  on('pointerleave', () => {
    next = last = undefined
    events.hover(undefined)
  })
  on('contextmenu', (event) => event.preventDefault())
  on('wheel', (event) => {
    event.preventDefault()
    const lines = event.deltaMode === 1 ? 16 : 1
    scene.zoom(Math.exp(-event.deltaY * lines * 0.0015), placeOf(event))
    events.moved()
  })
  // The keyboard's twin of each: arrows turn, with Shift shift; + and − zoom; Enter picks the middle.
  on('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
    if (direction) {
      const [dx, dy] = direction.map((d) => d * KEY_STEP_PX)
      if (event.shiftKey) scene.pan(-dx, -dy)
      else scene.rotate(dx, dy)
    } else if (event.key === '+' || event.key === '=') scene.zoom(1.15)
    else if (event.key === '-') scene.zoom(1 / 1.15)
    else if (event.key === 'Enter')
      void scene.pick(canvas.clientWidth / 2, canvas.clientHeight / 2).then((pick) => events.click(pick))
    else return
    event.preventDefault() // arrows step through trials elsewhere
    if (event.key !== 'Enter') events.moved()
  })
  return { stop: () => stop.abort(), again: () => last && void hover(last.x, last.y) }
}
