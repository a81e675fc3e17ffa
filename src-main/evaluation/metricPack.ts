import { openPack, placeOf } from '../models/pack.ts'
import type { Pack, PartName } from '../models/pack.ts'
import { packParts } from '../models/packParts.ts'
import { clipVisionKind, openNetwork } from '../models/pretrained.ts'
import type { MetricNetworkKind } from './metricNetworks.ts'
import { metricIds, metrics } from './metrics.ts'
import type { Metric, MetricId } from './metrics.ts'
import type { NetworkPaths } from './scoreReconstructions.ts'

/** Metrics that a network is missing for, and what to put where. */
export interface MissingMetrics {
  metrics: MetricId[]
  part: PartName
  title: string
  /** Where it belongs, relative to the pack. */
  place: string
  /** Where it comes from. */
  source: string
  /** What is there instead. */
  found: string
}

/** The sizes by which CLIP ViT-L/14 is known; scores of another encoder must not be called CLIP. */
const VIT_L_14 = { width: 1024, layers: 24, patch: 14, image: 224, projection: 768 }

/** The part of a pack in which a network lies. */
const partOf = (kind: MetricNetworkKind): PartName => (kind === 'other_encoder' ? 'image_encoder' : kind)

/** The metrics' networks in the pack of this folder, and what is missing there. Without a pack all of them are; stand-ins are never missed. */
export function metricNetworks(folder: string | undefined): { networks: NetworkPaths; missing: MissingMetrics[] } {
  const pack = folder === undefined ? undefined : openPack(folder)
  const networks: NetworkPaths = {}
  const missing: MissingMetrics[] = []
  const kinds = new Set(metricIds.flatMap((id) => (metrics[id] as Metric).features?.part ?? []))
  for (const kind of kinds) {
    const [part, found] = [partOf(kind), whyNot(pack, kind)]
    const needing = metricIds.filter((id) => (metrics[id] as Metric).features?.part === kind)
    if (found === undefined) networks[kind] = pack!.pathOf(part)
    else if (!needing.some((id) => (metrics[id] as Metric).isStandIn)) {
      const { title, source } = packParts[part]
      missing.push({ metrics: needing, part, title, place: placeOf(part), source, found })
    }
  }
  return { networks, missing }
}

/** Why the pack cannot serve with a network; undefined when it can. */
function whyNot(pack: Pack | undefined, kind: MetricNetworkKind): string | undefined {
  const part = partOf(kind)
  if (!pack) return 'no pack'
  if (!pack.has(part)) return `nothing in ${pack.folder}`
  if (part !== 'image_encoder') return undefined
  const { config, close } = openNetwork(clipVisionKind, pack.pathOf(part))
  close()
  const other = Object.entries(VIT_L_14).find(([size, value]) => config[size as keyof typeof VIT_L_14] !== value)
  if (kind === 'other_encoder') return other ? undefined : 'CLIP ViT-L/14'
  return other && `another encoder, with ${other[0]} ${config[other[0] as keyof typeof VIT_L_14]}`
}
