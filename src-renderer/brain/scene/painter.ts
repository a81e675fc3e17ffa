/** Owns the WebGL context: the picture of element numbers, the pass that colours it, and reading both back. */
import {
  LinearSRGBColorSpace,
  NearestFilter,
  type OrthographicCamera,
  RGBAFormat,
  type Scene,
  UnsignedByteType,
  WebGLRenderer,
  WebGLRenderTarget,
} from 'three'
import { decode } from './elementPass.ts'
import { FrameMeter, rendererName } from './meter.ts'
import type { ResolvePass } from './resolve.ts'

const TILE = 2048 // pixels of a tile's side when a large picture is drawn
const MARGIN = 10 // pixels around a tile that outlines may look at

/** How much trouble a picture is worth: little while a slow renderer moves, most at rest. */
export type Detail = 'coarse' | 'plain' | 'finest'

export interface Offscreen {
  width: number
  height: number
  /** Pixels per CSS pixel, for the width of lines. */
  pixel: number
  camera: OrthographicCamera
}

export class Painter {
  readonly renderer: WebGLRenderer
  readonly meter: FrameMeter
  width = 1
  height = 1
  /** Device pixels per CSS pixel. */
  ratio = 1
  /** Texels of the picture of element numbers per pixel, on each side. */
  private samples = 1
  /** Pixels of the canvas per pixel of the screen: half as many while a slow renderer moves. */
  private scale = 1
  private readonly resolve: ResolvePass
  private readonly ids = idTarget()
  private readonly small = idTarget()

  constructor(canvas: HTMLCanvasElement, resolve: ResolvePass) {
    this.resolve = resolve
    this.renderer = new WebGLRenderer({ canvas, antialias: false, alpha: false, powerPreference: 'high-performance' })
    this.renderer.outputColorSpace = LinearSRGBColorSpace // bytes of the colour table pass as they are
    this.renderer.autoClear = false
    this.renderer.setClearColor(0, 0)
    this.meter = new FrameMeter(rendererName(this.renderer.getContext()))
  }

  /** Nothing is gained by drawing again at rest. */
  get isFinest() {
    return this.samples === this.finest && this.scale === 1
  }

  resize(width: number, height: number, ratio: number) {
    ;[this.width, this.height, this.ratio] = [Math.max(1, width), Math.max(1, height), ratio]
    this.sizeCanvas()
  }

  /** Draws to the canvas; without a camera only the colours are made anew. Settles when the renderer is done with it. */
  paint(scene: Scene, camera: OrthographicCamera | undefined, detail: Detail): Promise<void> {
    if (camera) {
      const samples = detail === 'finest' ? this.finest : 1
      const scale = detail === 'coarse' ? 0.5 : 1
      if (scale !== this.scale) {
        this.scale = scale
        this.sizeCanvas()
      }
      const [w, h] = [this.renderer.domElement.width, this.renderer.domElement.height]
      this.samples = samples
      // Always the finest size, so that moving and resting don't allocate anew; a part of it is used.
      this.ids.setSize(w * this.finest, h * this.finest)
      this.ids.viewport.set(0, 0, w * samples, h * samples)
      this.drawIds(this.ids, scene, camera)
    }
    this.colour({ ids: this.ids, samples: this.samples, pixel: this.pixel, margin: 0, x: 0, y: 0 })
    this.renderer.setRenderTarget(null)
    this.resolve.render(this.renderer)
    return this.finished(camera && detail)
  }

  /** The element at a point of the canvas (CSS pixels from its upper left), -1 for none. */
  async elementAt(x: number, y: number): Promise<number> {
    // The samples of the pixel, of which it has the colour of the first that is not empty (resolve.ts).
    const n = this.samples
    const row = this.renderer.domElement.height - 1 - Math.floor(y * this.pixel)
    const [px, py] = [n * Math.floor(x * this.pixel), n * row]
    const bytes = await this.read(this.ids, px, py, n, n)
    for (let at = 0; at < bytes.length; at += 4) if (decode(bytes, at) >= 0) return decode(bytes, at)
    return -1
  }

  /** A small picture of element numbers, RGBA from the lower left; nobody waits while the renderer is at it. */
  async readIds(scene: Scene, camera: OrthographicCamera, width: number, height: number): Promise<Uint8Array> {
    this.small.setSize(width, height)
    this.drawIds(this.small, scene, camera)
    return this.read(this.small, 0, 0, width, height)
  }

  /** RGBA bytes from the upper left, tile by tile, so that no driver's largest texture is a limit. */
  renderToPixels(scene: Scene, { width, height, pixel, camera }: Offscreen): Uint8ClampedArray<ArrayBuffer> {
    const ids = idTarget()
    const picture = new WebGLRenderTarget(1, 1, { depthBuffer: false, generateMipmaps: false })
    const pixels = new Uint8ClampedArray(4 * width * height)
    for (let y = 0; y < height; y += TILE)
      for (let x = 0; x < width; x += TILE) {
        const [w, h] = [Math.min(TILE, width - x), Math.min(TILE, height - y)]
        camera.setViewOffset(width, height, x - MARGIN, y - MARGIN, w + 2 * MARGIN, h + 2 * MARGIN)
        ids.setSize(2 * (w + 2 * MARGIN), 2 * (h + 2 * MARGIN))
        this.drawIds(ids, scene, camera)
        picture.setSize(w, h)
        this.colour({ ids, samples: 2, pixel, margin: MARGIN, x, y: height - y - h })
        this.renderer.setRenderTarget(picture)
        this.resolve.render(this.renderer)
        const bytes = new Uint8Array(4 * w * h)
        this.renderer.readRenderTargetPixels(picture, 0, 0, w, h, bytes)
        for (let row = 0; row < h; row++)
          pixels.set(bytes.subarray(4 * w * (h - 1 - row), 4 * w * (h - row)), 4 * (width * (y + row) + x))
      }
    camera.clearViewOffset()
    ids.dispose()
    picture.dispose()
    this.renderer.setRenderTarget(null)
    return pixels
  }

  dispose() {
    this.ids.dispose()
    this.small.dispose()
    this.renderer.dispose()
    this.renderer.forceContextLoss() // browsers allow few contexts; a closed panel gives its own back
  }

  /** RGBA of a part of a target; nothing but zeros, which are no element, where the context went meanwhile. */
  private async read(target: WebGLRenderTarget, x: number, y: number, width: number, height: number) {
    const bytes = new Uint8Array(4 * width * height)
    try {
      await this.renderer.readRenderTargetPixelsAsync(target, x, y, width, height, bytes)
    } catch (error) {
      // three.js rejects with nothing when it waits in vain.
      if (error !== undefined) throw error
      bytes.fill(0)
    }
    return bytes
  }

  private async finished(detail: Detail | undefined) {
    const gl = this.renderer.getContext() as WebGL2RenderingContext
    const sync = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0)
    if (!sync) return
    gl.flush()
    const start = performance.now()
    while (gl.clientWaitSync(sync, 0, 0) === gl.TIMEOUT_EXPIRED) await new Promise((resolve) => setTimeout(resolve, 8))
    gl.deleteSync(sync)
    if (detail) this.meter.noteRenderer(performance.now() - start, detail)
  }

  /** Two by two texels per pixel smooth the silhouette; screens with small pixels don't need it. */
  private get finest() {
    return this.ratio < 1.5 ? 2 : 1
  }

  /** Pixels of the canvas per CSS pixel. */
  private get pixel() {
    return this.ratio * this.scale
  }

  private sizeCanvas() {
    this.renderer.setSize(Math.round(this.width * this.pixel), Math.round(this.height * this.pixel), false)
  }

  private drawIds(target: WebGLRenderTarget, scene: Scene, camera: OrthographicCamera) {
    this.renderer.setRenderTarget(target)
    this.renderer.clear()
    this.renderer.render(scene, camera)
  }

  private colour(from: {
    ids: WebGLRenderTarget
    samples: number
    pixel: number
    margin: number
    x: number
    y: number
  }) {
    const { uniforms } = this.resolve
    uniforms.ids.value = from.ids.texture
    uniforms.samples.value = from.samples
    uniforms.pixel.value = from.pixel
    uniforms.margin.value = from.margin
    uniforms.origin.value.set(from.x, from.y)
  }
}

function idTarget(): WebGLRenderTarget {
  return new WebGLRenderTarget(1, 1, {
    format: RGBAFormat,
    type: UnsignedByteType,
    minFilter: NearestFilter,
    magFilter: NearestFilter,
    generateMipmaps: false,
  })
}
