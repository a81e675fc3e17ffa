export const TENSORFLOW_VERSION: string
/** Where libtensorflow is kept between clones. */
export function cacheDir(): string
/** Folder of one build in the cache. */
export function entryOf(cache: string, version: string, build: 'cpu' | 'cuda'): string
/** Which build of TensorFlow belongs here; throws for an unknown `MINDEYE_TENSORFLOW`. */
export function wantedBuild(): 'cpu' | 'cuda' | 'none'
