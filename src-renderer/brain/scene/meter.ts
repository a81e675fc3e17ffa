/** How fast the scene draws, and by what. */
import type { Detail } from './painter.ts'

const KEPT = 120
const SLOW_MS = 60
/** The finest picture, of four times as many pixels, within this time: quick enough after all. */
const QUICK_MS = 40

export interface SpeedReport {
  /** The graphics driver's name for what draws. */
  renderer: string
  /** Frames per second while something moved last; undefined until then. */
  fps: number | undefined
  /** Milliseconds of the main thread per frame, median. */
  frameMs: number | undefined
}

export class FrameMeter {
  private readonly name: string
  private readonly intervals: number[] = []
  private readonly durations: number[] = []
  private last = 0
  private wasLate = false
  /** A movement would stutter: the renderer needs too long for a frame. */
  isSlow = false

  constructor(name: string) {
    this.name = name
  }

  /** Takes a frame's work on the main thread into account; times in ms. */
  note(start: number, end: number) {
    const interval = start - this.last
    this.last = start
    keep(this.durations, end - start)
    if (interval < 400) keep(this.intervals, interval) // longer ones are pauses: nothing is drawn at rest
  }

  /** Learns from how long the renderer took for a picture. */
  noteRenderer(took: number, detail: Detail) {
    if (detail === 'finest') this.isSlow &&= took > QUICK_MS
    if (detail !== 'plain') return
    // Once may be the first time, when shaders are compiled and meshes uploaded.
    this.isSlow ||= took > SLOW_MS && this.wasLate
    this.wasLate = took > SLOW_MS
  }

  report(): SpeedReport {
    const interval = median(this.intervals)
    return { renderer: this.name, fps: interval ? 1000 / interval : undefined, frameMs: median(this.durations) }
  }

  reset() {
    this.intervals.length = this.durations.length = 0
  }
}

function keep(list: number[], value: number) {
  list.push(value)
  if (list.length > KEPT) list.shift()
}

function median(list: readonly number[]): number | undefined {
  return [...list].sort((a, b) => a - b)[list.length >> 1]
}

/** What the driver calls itself, e.g. 'ANGLE (NVIDIA, NVIDIA RTX A5000, OpenGL 4.6)'. */
export function rendererName(gl: WebGLRenderingContext | WebGL2RenderingContext): string {
  const info = gl.getExtension('WEBGL_debug_renderer_info')
  return String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER))
}
