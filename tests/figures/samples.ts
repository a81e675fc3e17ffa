import type { PaintedMesh } from '../../src-main/figures/cortex/paint.ts'
import type { FigureDocument, Panel } from '../../src-main/figures/document.ts'
import type { PanelContent } from '../../src-main/figures/page.ts'
import type { PanelData } from '../../src-main/figures/panels/index.ts'
import type { Image } from '../../src-main/formats/images.ts'

/** A picture that grows lighter downwards. */
export const picture = (side: number, channels: 1 | 3 = 3, shift = 0): Image => ({
  width: side,
  height: side,
  channels,
  data: Uint8Array.from(
    { length: side * side * channels },
    (_, i) => ((i / channels) * (200 / side / side) + shift * 11) % 256,
  ),
})

/** A ball of 40 mm, (rings + 1) x (sectors) points; its value is the height, none below the middle. */
export function ball(rings = 24, sectors = 48): PaintedMesh {
  const [points, faces]: [number[], number[]] = [[], []]
  for (let ring = 0; ring <= rings; ring++)
    for (let sector = 0; sector < sectors; sector++) {
      const [polar, around] = [(Math.PI * ring) / rings, (2 * Math.PI * sector) / sectors]
      points.push(
        20 * Math.sin(polar) * Math.cos(around),
        20 * Math.sin(polar) * Math.sin(around),
        20 * Math.cos(polar),
      )
      const [a, b] = [ring * sectors + sector, ring * sectors + ((sector + 1) % sectors)]
      if (ring < rings) faces.push(a, a + sectors, b, b, a + sectors, b + sectors)
    }
  const height = points.filter((_, i) => i % 3 === 2)
  return {
    points: Float32Array.from(points),
    faces: Uint32Array.from(faces),
    values: Float32Array.from(height, (z) => (z > 0 ? z / 20 : NaN)),
    areas: Uint32Array.from(height, (z) => Number(z > 10)),
  }
}

/** Invented data of every kind that a panel can show. */
export const samples = {
  retrieval: {
    kind: 'retrieval',
    pool: 12,
    n: 12,
    trials: [0, 1, 2].map((i) => ({
      trial: 107 + i,
      stimulus: `image-${i}`,
      rank: 1 + i,
      seen: picture(28, 1, i),
      found: [0, 1, 2, 3, 4].map((k) => ({
        stimulus: `image-${k}`,
        similarity: 0.9 - 0.2 * k,
        correct: k === i,
        picture: picture(28, 1, k),
      })),
    })),
  },
  reconstruction: {
    kind: 'reconstruction',
    rows: ['seen', 'low', 'high', 'combined'],
    n: 4,
    trials: [0, 1, 2, 3].map((i) => ({
      trial: i,
      stimulus: `image-${i}`,
      pictures: { seen: picture(64, 3, i), low: picture(32, 3, i), high: picture(64, 3, i + 1), combined: picture(64) },
    })),
  },
  scores: {
    kind: 'scores',
    groups: [
      {
        title: 'Image from brain · 12 images',
        rows: [
          { label: 'top-1', mean: 0.75, ci95: [0.43, 1], n: 12, chance: 0.1 },
          { label: 'top-3', mean: 1, ci95: [0.69, 1], n: 12, chance: 0.3 },
        ],
      },
      {
        title: 'Reconstructions',
        rows: [{ label: 'PixCorr', mean: 0.5, ci95: [0.4, 0.6], n: 12, chance: 0.1, p: 0.001 }],
      },
    ],
  },
  comparison: {
    kind: 'scores',
    groups: ['Top-1, image from brain', 'PixCorr'].map((title, i) => ({
      title,
      rows: ['small-study', 'ridge'].map((label, k) => ({
        ...{ label, mean: 0.5 + 0.1 * i + 0.2 * k, ci95: [0.4, 0.9] as [number, number], n: 12, chance: 0.1 },
      })),
    })),
  },
  cortex: {
    ...{ kind: 'cortex', title: 'Noise ceiling', unit: 'share of variance', map: 'inferno', limits: [0, 0.8], n: 30 },
    areas: ['V1', 'V2'],
    hemispheres: { left: ball(), right: ball() },
  },
  ranks: { kind: 'ranks', pool: 12, ranks: [1, 1, 1, 2, 1, 3, 1, 1, 5, 1, 1, 2] },
  training: {
    kind: 'lines',
    x: { title: 'epoch' },
    y: { title: 'loss' },
    series: [{ name: 'loss', points: Array.from({ length: 50 }, (_, i) => ({ x: i + 1, y: 10 / (i + 1) })) }],
  },
  insights: {
    kind: 'lines',
    x: { title: 'Hidden width' },
    y: { title: 'top-1' },
    series: ['none', 'mixup', 'mixco'].map((name, k) => ({
      name,
      points: [32, 128, 512].map((x, i) => ({
        ...{ x, y: 0.2 + 0.2 * i + 0.02 * k },
        ci95: [0.1 + 0.2 * i, 0.3 + 0.2 * i] as [number, number],
      })),
    })),
    chance: 0.1,
    estimates: { n: 3, of: 'seeds' },
  },
} as const satisfies Record<Panel['kind'], unknown> as unknown as Record<Panel['kind'], PanelData>

const sourceOf = (kind: Panel['kind']) =>
  kind === 'insights'
    ? { job: 1 }
    : kind === 'cortex'
      ? { subject: 's', map: 'noise-ceiling' }
      : kind === 'comparison'
        ? { runs: ['r', 's'] }
        : { run: 'r' }
const panel = (kind: Panel['kind'], columns: number, title?: string): Panel =>
  ({ id: kind, kind, source: sourceOf(kind), columns, title }) as Panel

/** A page with a panel of every kind. */
export const samplePage: FigureDocument = {
  version: 1,
  title: 'Every kind & more',
  preset: 'nature',
  width: 'double',
  panels: [
    panel('reconstruction', 6, 'Seen and reconstructed'),
    panel('retrieval', 6, 'Retrieved images'),
    panel('scores', 6, 'Scores'),
    panel('ranks', 3),
    panel('training', 3),
    panel('cortex', 12),
    panel('insights', 6, 'Width'),
    panel('comparison', 6, 'Methods'),
  ],
}

export const sampleContents: ReadonlyMap<string, PanelContent> = new Map(
  Object.entries(samples).map(([id, data]) => [id, { data }]),
)
