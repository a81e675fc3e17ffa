import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { layout } from '../../base/layout.ts'
import type { Image } from '../../formats/images.ts'
import type { Random } from '../../nn/random.ts'
import { world } from './constants.ts'
import { kinds } from './kinds.ts'

/** An icon in a scene; `x`, `y` are its upper left corner. Pixels of a 64 x 64 scene. */
export interface SceneObject {
  kind: number
  size: number
  x: number
  y: number
}

/** All there is to know of an image of the simulated world. */
export interface Scene {
  objects: SceneObject[]
  background: number
}

function drawObject(random: Random): SceneObject {
  const size = world.sizes[random.int(world.sizes.length)]
  return {
    kind: random.int(kinds.length),
    size,
    x: random.int(world.side - size + 1),
    y: random.int(world.side - size + 1),
  }
}

function apart(a: SceneObject, b: SceneObject): boolean {
  const distance = Math.hypot(a.x + a.size / 2 - b.x - b.size / 2, a.y + a.size / 2 - b.y - b.size / 2)
  return a.kind !== b.kind && distance >= (world.spacing * (a.size + b.size)) / 2
}

/** One random scene. */
function drawScene(random: Random): Scene {
  const background = random.int(world.backgrounds.length)
  if (random.uniform() >= world.twoObjects) return { objects: [drawObject(random)], background }
  for (;;) {
    const objects = [drawObject(random), drawObject(random)]
    if (apart(objects[0], objects[1])) return { objects, background }
  }
}

/** Draws scenes none of which is a near copy of one drawn before (also across calls). */
export class SceneDrawer {
  private readonly seen = new Map<string, Scene[]>()

  draw(random: Random, count: number): Scene[] {
    return Array.from({ length: count }, () => {
      // In a world that is nearly exhausted a near copy is accepted rather than looked for for ever.
      for (let attempt = 0; ; attempt++) {
        const scene = drawScene(random)
        scene.objects.sort((a, b) => a.kind - b.kind)
        const key = [scene.background, ...scene.objects.map((o) => `${o.kind}/${o.size}`)].join(' ')
        const alike = this.seen.get(key) ?? []
        if (attempt < 200 && alike.some((other) => nearCopy(scene, other))) continue
        this.seen.set(key, [...alike, scene])
        return scene
      }
    })
  }
}

function nearCopy(a: Scene, b: Scene): boolean {
  return a.objects.every((o, i) => Math.hypot(o.x - b.objects[i].x, o.y - b.objects[i].y) <= world.minShift)
}

/** The icons' drawings: SVG of 32 x 32 units by name. */
export interface IconFile {
  source: string
  license: string
  icons: Record<string, string>
}

/** Straight RGBA, `side * side * 4`. */
type Sprite = Uint8Array

/** Paints scenes at any size; icons are drawn once per size and kept. */
export class ScenePainter {
  private readonly sprites = new Map<string, Promise<Sprite>>()
  private readonly file = JSON.parse(readFileSync(layout.resource('world/icons.json'), 'utf8')) as IconFile

  /** Bytes (side, side, 3), rows from the top. */
  async paint(scene: Scene, side: number): Promise<Image & { data: Uint8Array<ArrayBuffer> }> {
    const scale = side / world.side
    const data = paintBackground(scene.background, side)
    for (const object of scene.objects) {
      const size = Math.round(object.size * scale)
      const sprite = await this.sprite(object.kind, size)
      blend(data, side, sprite, size, Math.round(object.x * scale), Math.round(object.y * scale))
    }
    return { data, width: side, height: side, channels: 3 }
  }

  private sprite(kind: number, size: number): Promise<Sprite> {
    const key = `${kind} ${size}`
    let sprite = this.sprites.get(key)
    if (!sprite) this.sprites.set(key, (sprite = this.rasterise(kinds[kind], size)))
    return sprite
  }

  private async rasterise(name: string, size: number): Promise<Sprite> {
    const body = this.file.icons[name]
    // Drawn at four times the size and shrunk: small icons come out smoother than by the SVG renderer alone.
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size * 4}" height="${size * 4}" viewBox="1 1 30 30">${body}</svg>`
    return sharp(Buffer.from(svg)).resize(size, size, { kernel: 'mitchell' }).ensureAlpha().raw().toBuffer()
  }
}

function paintBackground(background: number, side: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(side * side * 3)
  const colour = world.backgrounds[background]
  for (let y = 0; y < side; y++) {
    const light = 1 - world.ramp * ((y + 0.5) / side)
    for (let c = 0; c < 3; c++) data[y * side * 3 + c] = Math.round(colour[c] * light)
    for (let x = 1; x < side; x++) data.copyWithin((y * side + x) * 3, y * side * 3, y * side * 3 + 3)
  }
  return data
}

function blend(data: Uint8Array, side: number, sprite: Sprite, size: number, left: number, top: number): void {
  for (let y = Math.max(0, -top); y < Math.min(size, side - top); y++)
    for (let x = Math.max(0, -left); x < Math.min(size, side - left); x++) {
      const from = (y * size + x) * 4
      const to = ((top + y) * side + left + x) * 3
      const alpha = sprite[from + 3] / 255
      for (let c = 0; c < 3; c++) data[to + c] = Math.round(data[to + c] * (1 - alpha) + sprite[from + c] * alpha)
    }
}
