import type { BatchFacts } from '../../src-main/training/batchSnapshot.ts'

/** A snapshot of a batch, with its matrices (size, size) in rows of brain patterns and columns of images. */
export interface Batch {
  facts: BatchFacts
  size: number
  /** Cosines. */
  similarity: Float32Array
  /** The labels of each row. */
  target: Float32Array
}

interface Entry {
  shape: number[]
  data_offsets: [number, number]
}

/** Takes apart the safetensors file of a snapshot. */
export function parseBatch(buffer: ArrayBuffer): Batch {
  const length = new DataView(buffer).getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))) as {
    __metadata__: { batch: string }
    similarity: Entry
    target: Entry
  }
  const matrix = ({ data_offsets: [begin, end] }: Entry) =>
    new Float32Array(buffer, 8 + length + begin, (end - begin) / Float32Array.BYTES_PER_ELEMENT)
  return {
    facts: JSON.parse(header.__metadata__.batch) as BatchFacts,
    size: header.similarity.shape[0],
    similarity: matrix(header.similarity),
    target: matrix(header.target),
  }
}

/** How often the image with the largest label of a row is also the most similar one. */
export function hits({ size, similarity, target }: Batch): number {
  let count = 0
  for (let row = 0; row < size; row++) if (largest(similarity, row, size) === largest(target, row, size)) count++
  return count
}

function largest(matrix: Float32Array, row: number, size: number): number {
  let best = 0
  for (let column = 1; column < size; column++)
    if (matrix[row * size + column] > matrix[row * size + best]) best = column
  return best
}

/** What a loss or a way of mixing is, for somebody who meets it for the first time. */
export interface Explanation {
  id: 'mixup' | 'mixco' | 'infonce' | 'softclip' | 'soft-contrast'
  name: string
  text: string
}

export const explanations: readonly Explanation[] = [
  {
    id: 'infonce',
    name: 'InfoNCE',
    text: 'Each brain pattern must pick its own image out of the batch, so the target is the diagonal.',
  },
  {
    id: 'mixco',
    name: 'MixCo',
    text: 'Two brain patterns are blended, and the blend must point to both images, to each by its share: the target has two marks per row.',
  },
  {
    id: 'mixup',
    name: 'mixup',
    text: 'Two brain patterns and the embeddings of their images are blended in the same shares, and each blend must pick its own blended image.',
  },
  {
    id: 'softclip',
    name: 'SoftCLIP',
    text: 'The target says how alike the images are to each other, so confusing two similar images costs less than confusing two different ones.',
  },
  {
    id: 'soft-contrast',
    name: 'Low-level contrast',
    text: 'The places of an image must be as similar to those of the distorted images as a teacher network finds them; shown are means over all places.',
  },
]

/** The explanation of what a batch went through. */
export function currentExplanation({ loss, mixing }: BatchFacts): Explanation['id'] {
  if (loss !== 'bimixco') return loss
  return mixing === 'none' ? 'infonce' : mixing
}
