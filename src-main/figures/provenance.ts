import { program } from '../base/version.ts'
import type { FigureDocument } from './document.ts'
import { pageWidth } from './document.ts'
import { escapeXml } from './writeSvg.ts'

/** Where the numbers and pictures of a panel come from. */
export interface PanelProvenance {
  run?: string
  /** The job whose result is shown. */
  job?: number
  subject?: string
  preset?: string
  split?: string
  seed?: number
  /** Distinct images to choose from. */
  pool?: number
  /** Set of reconstructions. */
  set?: string
  metricVersion?: string
  /** Values at the ends of the colours, where colours stand for values. */
  colourLimits?: [number, number]
  /** What computed the run: backend, device, versions. */
  backend?: unknown
  /** Files that the subject was imported from. */
  inputs?: { name: string; fingerprint: string }[]
}

/** What goes beside a figure and into it. */
export interface FigureProvenance {
  program: string
  /** ISO 8601. */
  made: string
  title: string
  journal: string
  widthMm: number
  panels: ({ panel: string; letter: string; kind: string; caption: string; frozen?: string } & PanelProvenance)[]
}

export const figureProvenance = (
  page: FigureDocument,
  panels: FigureProvenance['panels'],
  made: Date,
): FigureProvenance => ({
  program,
  made: made.toISOString(),
  title: page.title,
  journal: page.preset,
  widthMm: pageWidth(page),
  panels,
})

/** RDF for a file's XMP packet: where the figure comes from, as JSON in one property. */
export const provenanceRdf = (provenance: FigureProvenance): string =>
  '<rdf:Description rdf:about="" xmlns:mindeye="urn:mindeye-workstation:figure:1">' +
  `<mindeye:provenance>${escapeXml(JSON.stringify(provenance))}</mindeye:provenance></rdf:Description>`

const RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#'

/** The same with the title, as the element that SVG's metadata holds. */
export const describedRdf = (provenance: FigureProvenance): string =>
  `<rdf:RDF xmlns:rdf="${RDF}"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt>` +
  `<rdf:li xml:lang="x-default">${escapeXml(provenance.title)}</rdf:li></rdf:Alt></dc:title></rdf:Description>${provenanceRdf(provenance)}</rdf:RDF>`

/** A whole packet, as pictures carry it. */
export const xmpPacket = (provenance: FigureProvenance): string =>
  `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">${describedRdf(provenance)}</x:xmpmeta><?xpacket end="w"?>`
