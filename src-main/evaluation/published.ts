import type { MetricId } from './metrics.ts'

/** A row of a published table: means over subjects, without intervals. */
export interface PublishedRow {
  method: string
  /** Shares in [0, 1] and correlations as ours; absent where the source gives none. */
  scores: Partial<Record<MetricId, number>>
  /** Top-1 among 300 images: given the brain find the image, and given the image find the brain pattern. */
  retrieval: { image?: number; brain?: number }
}

export interface PublishedTable {
  source: string
  /** What the numbers are of. */
  about: string
  /** Distinct images per pool of retrieval. */
  pool: number
  rows: PublishedRow[]
}

type Columns = (number | undefined)[]
const COLUMNS = ['pixcorr', 'ssim', 'alexnet2', 'alexnet5', 'inception', 'clip', 'efficientnet', 'swav'] as const
const none = undefined

/** A row as printed: two-way identification and retrieval in per cent, the rest as it is. */
function row(method: string, printed: Columns, [image, brain]: Columns = []): PublishedRow {
  const share = (percent: number | undefined) => (percent === undefined ? undefined : Math.round(percent * 10) / 1000)
  const isShare = (column: (typeof COLUMNS)[number]) => /alexnet|inception|clip/.test(column)
  const scores = COLUMNS.flatMap((column, i) => {
    const value = isShare(column) ? share(printed[i]) : printed[i]
    return value === undefined ? [] : [[column, value] as const]
  })
  return { method, scores: Object.fromEntries(scores), retrieval: { image: share(image), brain: share(brain) } }
}

/** Table 1 of the MindEye paper. Its 982 test images are those of NSD that all subjects saw. */
export const publishedTable: PublishedTable = {
  source: 'Scotti et al. 2023, arXiv 2305.18274, Table 1',
  about: 'NSD, mean over subjects 1, 2, 5 and 7, 982 test images, repeats averaged',
  pool: 300,
  rows: [
    row('MindEye', [0.309, 0.323, 94.7, 97.8, 93.8, 94.1, 0.645, 0.367], [93.6, 90.1]),
    row('MindEye, low-level only', [0.36, 0.479, 78.1, 74.8, 58.7, 59.2, 1, 0.663]),
    row('MindEye, high-level only', [0.194, 0.308, 91.7, 97.4, 93.6, 94.2, 0.645, 0.369], [93.6, 90.1]),
    row('MindEye, LAION-5B retrieval', [0.13, 0.308, 84, 92.6, 86.9, 86.1, 0.778, 0.477]),
    row('Ozcelik and VanRullen', [0.254, 0.356, 94.2, 96.2, 87.2, 91.5, 0.775, 0.423], [21.1, 30.3]),
    row('Takagi and Nishimoto', [none, none, 83, 83, 76, 77, none, none]),
    row('Gu et al.', [0.15, 0.325, none, none, none, none, 0.862, 0.465]),
    row('Lin et al.', [none, none, none, none, 78.2, none, none, none], [11, 49]),
  ],
}
