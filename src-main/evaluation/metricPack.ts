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

/** The metrics' networks in the pack of this folder, and what is missing there. Without a pack all of them are. */
export function metricNetworks(folder: string | undefined): { networks: NetworkPaths; missing: MissingMetrics[] } {
  const pack = folder === undefined ? undefined : openPack(folder)
  const networks: NetworkPaths = {}
  const missing: MissingMetrics[] = []
  const needs = (part: MetricNetworkKind) => (id: MetricId) => (metrics[id] as Metric).features?.part === part
  const parts = new Set(metricIds.flatMap((id) => (metrics[id] as Metric).features?.part ?? []))
  for (const part of parts) {
    const found = whyNot(pack, part)
    if (found === undefined) networks[part] = pack!.pathOf(part)
    else {
      const { title, source } = packParts[part]
      missing.push({ metrics: metricIds.filter(needs(part)), part, title, place: placeOf(part), source, found })
    }
  }
  return { networks, missing }
}

/** Why a part of the pack cannot serve; undefined when it can. */
function whyNot(pack: Pack | undefined, part: MetricNetworkKind): string | undefined {
  if (!pack) return 'no pack'
  if (!pack.has(part)) return `nothing in ${pack.folder}`
  if (part !== 'image_encoder') return undefined
  const { config, close } = openNetwork(clipVisionKind, pack.pathOf(part))
  close()
  const other = Object.entries(VIT_L_14).find(([size, value]) => config[size as keyof typeof VIT_L_14] !== value)
  return other && `another encoder, with ${other[0]} ${config[other[0] as keyof typeof VIT_L_14]}`
}
