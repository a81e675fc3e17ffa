import type { Check } from './checks.ts'
import type { Inventory } from './inventory.ts'
import type { StimulusTable, TrialTable } from './subject.ts'

/** A named voxel set; `mask` has one 0/1 per voxel of the study. */
export interface Roi {
  name: string
  mask: Uint8Array
}

/** What a layout makes of its files, before anything is imported; data are read in blocks on demand. */
export interface Study {
  /** Proposed subject id, e.g. `subj01`. */
  name: string
  /** Files that the data come from; they are fingerprinted and must stay where they are. */
  sources: string[]
  trials: TrialTable
  stimuli: StimulusTable
  voxelCount: number
  image: { height: number; width: number; channels: 1 | 3 }
  /** Trials `[start, stop)`: (stop - start, V) in C order. */
  readVoxels(start: number, stop: number): Float32Array | Promise<Float32Array>
  /** Stimuli `[start, stop)`: (stop - start, H, W, C), upright, 0..255. */
  readImages(start: number, stop: number): Uint8Array | Promise<Uint8Array>
  rois: Roi[]
  /** Voxel centres in mm (V, 3), where the files tell. */
  positions?: Float32Array<ArrayBuffer>
  volume?: { shape: number[]; affine: number[] }
  /** What only this layout can check, e.g. known voxel counts; asked for when everything has been read. */
  checks(): Check[]
}

/** Names given by `--map`, e.g. `{ 'voxels.train': 'betas' }`. */
export type Mapping = Record<string, string>

/** One way in which datasets are laid out. */
export interface Layout {
  id: string
  title: string
  /** Looks at contents; null when this is not such a dataset. The highest confidence (0..1) wins. */
  recognise(inventory: Inventory, map: Mapping): Promise<Recognition | null>
  /** The subjects of which the files hold data, by number, where a layout keeps several side by side; each is imported on its own with `subject=N`. */
  subjects?(inventory: Inventory): Promise<number[]>
  /** The files stay open in the inventory, which the caller closes. */
  open(inventory: Inventory, map: Mapping): Promise<Study>
}

export interface Recognition {
  confidence: number
  /** What was seen that says so, for the user. */
  explanation: string
}
