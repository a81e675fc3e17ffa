/**
 * What the brain view costs the page's main thread, at 2 x 163,842 vertices (`node bench/page/brain.ts [--order 7] [--json]`): recolouring, turning,
 * morphing, picking and building. Times are of the main thread; how fast frames come is the renderer's affair, which is named.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'
import { createServer } from 'vite'
import type * as Scenes from '../../src-renderer/brain/scene/scene.ts'
import type * as Scales from '../../src-renderer/shared/colourScale.ts'
import type * as Cortex from './syntheticCortex.ts'

const { values } = parseArgs({ options: { order: { type: 'string', default: '7' }, json: { type: 'boolean' } } })
const WIDTH = 1200
const HEIGHT = 800
const VOXELS = 15_724 // of the first subject of the Natural Scenes Dataset
const ROUNDS = 60

export interface BrainTimes {
  renderer: string
  /** Both hemispheres; and as drawn, where a vertex with two corner classes counts twice. */
  vertices: number
  drawn: number
  /** Milliseconds of the main thread, median and 95th percentile. */
  recolourVoxels: [number, number]
  recolourVertices: [number, number]
  orbitFrame: [number, number]
  morphFrame: [number, number]
  /** Asking what is at a pixel, until the answer. */
  pick: [number, number]
  /** From arrays to a scene that can be drawn: new, and of a subject seen before. */
  build: number
  rebuild: number
  /** Frames per second that the renderer manages while turning. */
  fps: number
}

const executablePath = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path))
const root = join(import.meta.dirname, '../..')
const server = await createServer({
  root,
  configFile: false,
  logLevel: 'error',
  appType: 'custom',
  server: { port: 0, host: '127.0.0.1', hmr: false, watch: null },
})
await server.listen()
const address = server.resolvedUrls!.local[0]
const browser = await chromium.launch({
  executablePath,
  args: process.env.DISPLAY
    ? ['--no-sandbox']
    : ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
})
const page = await browser.newPage({ viewport: { width: WIDTH, height: HEIGHT } })
await page.route(`${address}bench.html`, (route) =>
  route.fulfill({
    contentType: 'text/html',
    body: `<body style="margin:0"><canvas style="width:${WIDTH}px;height:${HEIGHT}px"></canvas>`,
  }),
)
await page.goto(`${address}bench.html`)

const times = await page.evaluate(
  async ({ order, voxels, rounds, width, height }) => {
    const paths = [
      '/src-renderer/brain/scene/scene.ts',
      '/src-renderer/shared/colourScale.ts',
      '/bench/page/syntheticCortex.ts',
    ]
    const [{ BrainScene }, { ColourScale }, { syntheticHemisphere }] = (await Promise.all(
      paths.map((path) => import(/* @vite-ignore */ path)),
    )) as [typeof Scenes, typeof Scales, typeof Cortex]
    const frame = () => new Promise<void>((resolve) => requestAnimationFrame(() => resolve()))
    const summary = (list: number[]): [number, number] => {
      list.sort((a, b) => a - b)
      return [list[list.length >> 1], list[Math.floor(0.95 * list.length)]]
    }
    /** Main-thread time of `work` in frames of their own. */
    async function measure(work: (round: number) => unknown): Promise<[number, number]> {
      const list: number[] = []
      for (let i = 0; i < rounds; i++) {
        await frame()
        const start = performance.now()
        await work(i)
        list.push(performance.now() - start)
      }
      return summary(list)
    }

    const meshes = {
      left: syntheticHemisphere('left', order, voxels),
      right: syntheticHemisphere('right', order, voxels),
    }
    const scene = new BrainScene(document.querySelector('canvas')!)
    scene.still = true
    scene.resize(width, height, 1)
    const build = () => {
      const start = performance.now()
      scene.setSurfaces(meshes)
      return performance.now() - start
    }
    const built = build()
    const rebuilt = build()
    scene.setScale(
      new ColourScale({ map: 'RdBu_r', limits: [-2, 2], threshold: 0.2, title: '', unit: '', signed: true }),
    )
    const elements = scene.content.elements
    scene.setOutlines(
      [0, 1, 2, 3].map((k) => ({
        name: `${k}`,
        colour: [240, 200, 40],
        has: (e) => scene.content.voxelOf.array[e] % 4000 < 300 + k,
      })),
    )
    scene.setMorph(2)
    scene.setView('outer')
    scene.paintNow()
    await frame()

    const perVoxel = Float32Array.from({ length: voxels }, (_, v) => Math.sin(v / 90) * 2)
    const perVertex = Float32Array.from({ length: elements }, (_, v) => Math.sin(v / 900) * 2)
    const recolourVoxels = await measure((i) => {
      perVoxel[i] = 0
      scene.setValues(perVoxel)
      scene.paintNow()
    })
    const recolourVertices = await measure((i) => {
      perVertex[i] = 0
      scene.setValues(perVertex, 'vertex')
      scene.paintNow()
    })
    scene.setValues(perVoxel)
    let last = 0
    const intervals: number[] = []
    const orbitFrame = await measure(() => {
      const now = performance.now()
      if (last) intervals.push(now - last)
      last = now
      scene.rotate(7, 3)
      scene.paintNow()
    })
    const morphFrame = await measure((i) => {
      scene.setMorph((3 * i) / rounds)
      scene.paintNow()
    })
    const pick = await measure((i) => scene.pick(200 + 13 * i, 150 + 8 * i))
    const drawn = [scene.content.surfaces.left, scene.content.surfaces.right].reduce(
      (sum, surface) => sum + (surface?.geometry.getAttribute('element').count ?? 0),
      0,
    )
    const { renderer } = scene.report()
    return {
      renderer,
      vertices: elements,
      drawn,
      recolourVoxels,
      recolourVertices,
      orbitFrame,
      morphFrame,
      pick,
      build: built,
      rebuild: rebuilt,
      fps: 1000 / summary(intervals)[0],
    } satisfies BrainTimes
  },
  { order: Number(values.order), voxels: VOXELS, rounds: ROUNDS, width: WIDTH, height: HEIGHT },
)
await browser.close()
await server.close()

if (values.json) console.log(JSON.stringify(times))
else {
  const ms = ([median, high]: [number, number]) => `${median.toFixed(1)} ms (95 %: ${high.toFixed(1)} ms)`
  console.log(`${times.renderer}, ${WIDTH} x ${HEIGHT}
${times.vertices.toLocaleString('en')} vertices (${times.drawn.toLocaleString('en')} drawn), four outlines
recolour, ${VOXELS.toLocaleString('en')} voxels    ${ms(times.recolourVoxels)}   goal 8 ms
recolour, per vertex        ${ms(times.recolourVertices)}   goal 8 ms
frame while turning         ${ms(times.orbitFrame)}   goal 4 ms
frame while morphing        ${ms(times.morphFrame)}
pick, until the answer      ${ms(times.pick)}
build ${times.build.toFixed(0)} ms, again ${times.rebuild.toFixed(0)} ms; ${times.fps.toFixed(1)} frames/s while turning`)
}
