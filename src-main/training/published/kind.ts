import type { ArrayEntry } from '../../formats/array.ts'
import type { Parameters } from '../../nn/parameters.ts'
import type { JsonObject } from '../../workspace/records.ts'

export type KindId =
  'high-level' | 'brain-network' | 'prior' | 'low-level' | 'clip-vision' | 'autoencoder' | 'image-unet' | 'unknown'

/** A config.json beside the file, as published folders have one. */
export interface ConfigBeside {
  json: Record<string, unknown>
  path: string
}

/** What a file's weights are. */
export interface Described {
  /** The network's arrays under their published names; what a file holds besides them is left out where that is known to be harmless. */
  arrays: readonly ArrayEntry[]
  /** Sizes from the shapes, or the config.json beside the file. */
  config: JsonObject
  /** Declares all parameters that the network should have; absent where sizes do not follow from shapes and there is no config.json. */
  declare?: (parameters: Parameters) => void
}

export interface Kind {
  id: KindId
  title: string
  matches(has: (name: string) => boolean): boolean
  describe(arrays: readonly ArrayEntry[], beside: ConfigBeside | undefined, where: string): Described
}
