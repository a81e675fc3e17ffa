import PDFDocument from 'pdfkit'
import type { Mark, Scene, TextMark } from './scene.ts'
import { printedPng } from './picturePixels.ts'
import { featuresOf, inter, textWidth } from './type.ts'

export interface PdfOptions {
  /** Pixels per inch of pictures in print. */
  dpi: number
  /** RDF descriptions for the file's XMP packet. */
  rdf: string
  /** Name and version of this program. */
  creator: string
  /** When it was made. */
  date: Date
}

/** One page of exactly the scene's size: lines as lines, type as text in subsets of the font, pictures as pixels. */
export async function writePdf(scene: Scene, { dpi, rdf, creator, date }: PdfOptions): Promise<Uint8Array> {
  const info = { Title: plain(scene.title), Creator: creator, Producer: creator, CreationDate: date }
  // A font that no mark names would be written beside Inter.
  const options = { size: [scene.width, scene.height], margin: 0, pdfVersion: '1.7', info, font: null } as const
  const document = new PDFDocument(options as unknown as PDFKit.PDFDocumentOptions)
  const chunks: Uint8Array[] = []
  document.on('data', (chunk: Uint8Array) => chunks.push(chunk))
  const ended = new Promise((resolve, reject) => document.on('end', resolve).on('error', reject))
  for (const mark of scene.marks) await draw(document, mark, dpi)
  ;(document as unknown as { appendXML(xml: string): void }).appendXML(rdf)
  document.end()
  await ended
  return new Uint8Array(Buffer.concat(chunks))
}

async function draw(document: PDFKit.PDFDocument, mark: Mark, dpi: number): Promise<void> {
  if (mark.kind === 'text') return drawText(document, mark)
  if (mark.kind === 'image') {
    const { x, y, width, height, picture } = mark
    document.image(Buffer.from(await printedPng(picture, width, dpi)), x, y, { width, height })
    return
  }
  const { d, fill, stroke } = mark
  const path = document.path(d)
  if (stroke) {
    path.lineWidth(stroke.width).lineJoin('round')
    if (stroke.dash) path.dash(stroke.dash[0], { space: stroke.dash[1] })
    else path.undash()
  }
  if (fill && stroke) path.fillAndStroke(fill, stroke.colour)
  else if (fill) path.fill(fill)
  else if (stroke) path.stroke(stroke.colour)
}

function drawText(document: PDFKit.PDFDocument, mark: TextMark): void {
  const { text, x, y, size, weight, colour, anchor, turned } = mark
  const start = x - textWidth(text, { size, weight }) * { start: 0, middle: 0.5, end: 1 }[anchor]
  document.save()
  if (turned) document.rotate(-90, { origin: [x, y] })
  const features = featuresOf(text) as unknown as PDFKit.Mixins.OpenTypeFeatures[]
  document
    .font(inter(weight) as unknown as PDFKit.Mixins.PDFFontSource)
    .fontSize(size)
    .fillColor(colour)
    .text(text, start, y, { lineBreak: false, baseline: 'alphabetic', features })
  document.restore()
}

/** Without the signs that would break the packet of metadata, into which the title goes as it is. */
const plain = (text: string) => text.replace(/[&<>]/g, ' ')
