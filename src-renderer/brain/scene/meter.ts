/** How fast the scene draws, and by what. */
const KEPT = 120

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

  constructor(name: string) {
    this.name = name
  }

  /** @param start when the frame's work began, ms; `end` when it ended */
  note(start: number, end: number) {
    const interval = start - this.last
    this.last = start
    keep(this.durations, end - start)
    if (interval < 400) keep(this.intervals, interval) // longer ones are pauses: nothing is drawn at rest
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
