import * as v from 'valibot'
import { fetchCuda, fetchedCuda, removeCuda } from '../engine/cuda.ts'
import { defineAction } from './action.ts'

export interface Gpu {
  /** Where the CUDA build is; absent when there is none. */
  folder?: string
  /** Whether TensorFlow saw a graphics card when it was tried just now. */
  gpu: boolean
  /** Name of what it computed on. */
  device?: string
}

/** Gives the app a graphics card to compute on, without compiler or npm. */
export const gpuAction = defineAction({
  name: 'gpu',
  summary:
    'Fetch the CUDA build of TensorFlow (3.4 GB, kept in the cache) and compute on the graphics card from then on; Linux on x64.',
  input: v.object({
    remove: v.optional(
      v.pipe(v.boolean(), v.description('delete what was fetched and compute with the library that came with the app')),
      false,
    ),
  }),
  async run(ctx, { remove }, { signal, progress }): Promise<Gpu> {
    if (remove) {
      removeCuda()
      return { gpu: false }
    }
    const { backend } = await fetchCuda({ signal, progress, log: (line) => ctx.log(line) })
    return { folder: fetchedCuda(), gpu: backend.gpu, device: backend.device }
  },
  format: ({ folder, gpu, device }) =>
    folder === undefined
      ? 'The CUDA build is removed.'
      : gpu
        ? `The CUDA build is in ${folder} and computes on ${device}.`
        : `The CUDA build is in ${folder}; it loads, but sees no graphics card: \`mindeye doctor\` says more.`,
})
