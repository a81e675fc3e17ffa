export const TENSORFLOW_VERSION: string
/** The tfjs-node-gpu package and its compiled part. */
export const tfjsNode: string
export const bindingFile: string
/** Where libtensorflow is kept between clones. */
export function cacheDir(): string
/** Which build of TensorFlow belongs here; throws for an unknown `MINDEYE_TENSORFLOW`. */
export function wantedBuild(): 'cpu' | 'cuda' | 'none'
