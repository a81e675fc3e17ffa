import type { Format } from './presets.ts'
import { describedRdf, provenanceRdf, xmpPacket } from './provenance.ts'
import type { FigureProvenance } from './provenance.ts'
import type { Scene } from './scene.ts'
import { writePdf } from './writePdf.ts'
import { writePng, writeTiff } from './writeRaster.ts'
import { writeSvg } from './writeSvg.ts'

/** A page as a file of one format, with where it comes from inside; pictures and pixels at `dpi`. */
export async function writeFigure(
  scene: Scene,
  format: Format,
  dpi: number,
  provenance: FigureProvenance,
): Promise<Uint8Array> {
  const { program, made } = provenance
  if (format === 'pdf')
    return writePdf(scene, { dpi, rdf: provenanceRdf(provenance), creator: program, date: new Date(made) })
  if (format === 'svg')
    return Buffer.from(await writeSvg(scene, { dpi, text: 'live', metadata: describedRdf(provenance) }))
  const options = { dpi, xmp: xmpPacket(provenance) }
  return format === 'png' ? writePng(scene, options) : writeTiff(scene, options)
}

/** Rows of cells as CSV (RFC 4180). */
export const writeCsv = (rows: readonly (readonly (string | number)[])[]): string =>
  rows.map((row) => `${row.map((cell) => quoted(`${cell}`)).join(',')}\r\n`).join('')

const quoted = (cell: string) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
