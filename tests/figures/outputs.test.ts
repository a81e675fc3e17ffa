import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, describe, expect, it, test } from 'vitest'
import { layPage } from '../../src-main/figures/page.ts'
import { printedPng } from '../../src-main/figures/picturePixels.ts'
import type { FigureProvenance } from '../../src-main/figures/provenance.ts'
import { mm } from '../../src-main/figures/scene.ts'
import { writeCsv, writeFigure } from '../../src-main/figures/write.ts'
import { picture, sampleContents, samplePage, samples } from './samples.ts'

const folder = mkdtempSync(join(tmpdir(), 'figures-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const DPI = 150
const scene = layPage(samplePage, sampleContents)
const provenance: FigureProvenance = {
  ...{ program: 'MindEye Workstation 0', made: '2026-11-26T10:00:00.000Z', title: samplePage.title, journal: 'nature' },
  widthMm: 183,
  panels: [
    { panel: 'scores', letter: 'c', kind: 'scores', caption: 'a < b', run: 'the-run', seed: 42, split: 'shipped' },
  ],
}
const written = (format: 'pdf' | 'svg' | 'png' | 'tiff') => writeFigure(scene, format, DPI, provenance)

/** RGB pixels. */
const pixelsOf = (bytes: Uint8Array | string) =>
  sharp(bytes).removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })

/** Mean absolute difference of 0..255, and the share of pixels in which a channel differs by more than 64. */
function difference(a: Buffer, b: Buffer): { mean: number; far: number } {
  let [sum, far] = [0, 0]
  for (let i = 0; i < a.length; i += 3) {
    const channels = [0, 1, 2].map((k) => Math.abs(a[i + k] - b[i + k]))
    sum += channels[0] + channels[1] + channels[2]
    if (Math.max(...channels) > 64) far++
  }
  return { mean: sum / a.length, far: far / (a.length / 3) }
}

const hasPoppler = spawnSync('pdftoppm', ['-v']).status === 0
if (!hasPoppler)
  console.warn('PDF files are not looked at: poppler (pdftoppm, pdftotext, pdffonts, pdfinfo) is not installed')

describe('PDF', async () => {
  const path = join(folder, 'page.pdf')
  writeFileSync(path, await written('pdf'))
  const poppler = (tool: string, ...args: string[]) => execFileSync(tool, args, { encoding: 'utf8' })

  it.skipIf(!hasPoppler)('is what the PNG shows', async () => {
    poppler('pdftoppm', '-r', `${DPI}`, '-png', path, join(folder, 'page'))
    const [pdf, png] = await Promise.all([
      pixelsOf(readFileSync(join(folder, 'page-1.png'))),
      pixelsOf(await written('png')),
    ])
    expect(Math.abs(pdf.info.width - png.info.width)).toBeLessThanOrEqual(1)
    expect(Math.abs(pdf.info.height - png.info.height)).toBeLessThanOrEqual(1)
    const size = { width: Math.min(pdf.info.width, png.info.width), height: Math.min(pdf.info.height, png.info.height) }
    const cut = ({ data, info }: typeof pdf) =>
      sharp(data, { raw: { width: info.width, height: info.height, channels: 3 } })
        .extract({ left: 0, top: 0, ...size })
        .raw()
        .toBuffer()
    const { mean, far } = difference(await cut(pdf), await cut(png))
    expect(mean).toBeLessThan(3)
    expect(far).toBeLessThan(0.02)
  })

  it.skipIf(!hasPoppler)('has live text in embedded subsets of the font, on a page of the exact size', () => {
    const text = poppler('pdftotext', '-layout', path, '-')
    for (const words of ['Seen and reconstructed', 'Retrieved images', '0.75 [0.43, 1.00]', 'chance', 'mixco'])
      expect(text).toContain(words)
    const fonts = poppler('pdffonts', path).trim().split('\n').slice(2)
    expect(fonts.length).toBeGreaterThanOrEqual(3)
    for (const font of fonts) expect(font).toMatch(/^[A-Z]{6}\+Inter-\w+ +CID TrueType +Identity-H +yes yes yes/)
    const [, width, height] = /Page size: +([\d.]+) x ([\d.]+) pts/.exec(poppler('pdfinfo', path))!
    expect(Number(width)).toBeCloseTo(mm(183), 1)
    expect(Number(height)).toBeCloseTo(scene.height, 1)
  })

  it('of a page of twelve panels is written in less than 5 s', async () => {
    const panels = [...samplePage.panels, ...samplePage.panels]
      .slice(0, 12)
      .map((panel, i) => ({ ...panel, id: `p${i}` }))
    const contents = new Map(panels.map(({ id, kind }) => [id, { data: samples[kind] }]))
    const start = performance.now()
    await writeFigure(layPage({ ...samplePage, panels }, contents), 'pdf', 450, provenance)
    expect(performance.now() - start).toBeLessThan(5000)
  })

  it.skipIf(!hasPoppler)('carries where it comes from', () => {
    const packet = poppler('pdfinfo', '-meta', path)
    expect(packet).toContain('&quot;run&quot;:&quot;the-run&quot;')
    expect(poppler('pdfinfo', path)).toContain('MindEye Workstation 0')
  })
})

describe('pixels', () => {
  it('a TIFF is flat, compressed with LZW and states its resolution', async () => {
    const tiff = await written('tiff')
    const { width, height, density, channels, hasAlpha, xmpAsString } = await sharp(tiff).metadata()
    expect({ width, height, density }).toEqual({
      width: Math.round((mm(183) / 72) * DPI),
      height: Math.round((scene.height / 72) * DPI),
      density: DPI,
    })
    expect({ channels, hasAlpha }).toEqual({ channels: 3, hasAlpha: false })
    expect(compressionOf(tiff)).toBe(5)
    expect(xmpAsString).toContain('the-run')
  })

  it('PNG and TIFF are the same picture', async () => {
    const [png, tiff] = await Promise.all([pixelsOf(await written('png')), pixelsOf(await written('tiff'))])
    expect(difference(png.data, tiff.data).mean).toBe(0)
    expect((await sharp(await written('png')).metadata()).density).toBe(DPI)
  })

  it('a small picture is enlarged by a whole number without a new value, a large one shrunk to the resolution', async () => {
    const small = picture(28, 1)
    const { data, info } = await pixelsOf(await printedPng(small, 72, 300))
    expect(info.width).toBe(28 * 11) // the first multiple of at least 300
    const grey = (x: number, y: number) => data[(y * info.width + x) * 3]
    for (let y = 0; y < info.width; y += 5)
      for (let x = 0; x < info.width; x += 5)
        expect(grey(x, y)).toBe(small.data[Math.floor(y / 11) * 28 + Math.floor(x / 11)])
    expect((await pixelsOf(await printedPng(picture(400), 72, 300))).info.width).toBe(300)
  })
})

describe('SVG', () => {
  it('has its size in mm, its text as text, its font within, a group for each panel', async () => {
    const svg = Buffer.from(await written('svg')).toString()
    expect(svg).toMatch(/^<svg [^>]*width="183mm" height="[\d.]+mm"/)
    expect(svg).toContain('<title>Every kind &amp; more</title>')
    expect(svg).toContain('>Retrieved images</text>')
    expect(svg.match(/@font-face/g)).toHaveLength(3)
    expect(samplePage.panels.every(({ id }) => svg.includes(`<g id="${id}">`))).toBe(true)
    expect(svg).not.toMatch(/opacity|NaN|undefined/)
  })
})

test('cells of source data are quoted where they must be', () => {
  expect(
    writeCsv([
      ['a', 'b, "c"'],
      [1, 2.5],
    ]),
  ).toBe('a,"b, ""c"""\r\n1,2.5\r\n')
})

/** Tag 259 of a little-endian TIFF's first directory. */
function compressionOf(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  expect(view.getUint16(0)).toBe(0x4949)
  const directory = view.getUint32(4, true)
  for (let i = 0; i < view.getUint16(directory, true); i++) {
    const entry = directory + 2 + 12 * i
    if (view.getUint16(entry, true) === 259) return view.getUint16(entry + 8, true)
  }
  return undefined
}
