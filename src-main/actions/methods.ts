import type { BackendInfo } from '../engine/backend.ts'
import type { PackReport } from '../models/pack.ts'
import type { DecodedTrials, DecodeJob } from '../retrieval/decodeTrials.ts'
import type { RunSimilarity } from '../retrieval/runSimilarity.ts'
import type { Conversion, convertCheckpoint } from '../training/published/convert.ts'
import type { CheckpointInspection, CheckpointVerdict } from '../training/published/report.ts'
import type { TrainingJob, TrainingSummary } from '../training/run.ts'
import type { NewTrialsFile } from '../subjects/decodeInputs.ts'
import type { ImportResult, Inspection, Recognised } from '../subjects/importer.ts'
import type { Proposal } from '../subjects/proposals.ts'
import type { SimulateOptions } from '../subjects/simulator/simulate.ts'
import type { Mapping } from '../subjects/study.ts'

/**
 * What the two child processes can be asked, as types only: `hosts/engine.ts` and `hosts/reader.ts` must offer a handler
 * for each, and actions call them through a typed `Channel`. Parameters and results cross by structured clone (typed arrays
 * keep their type); large arrays go through files.
 */
export interface PingResult {
  pid: number
  node: string
}

export interface EngineMethods {
  ping(params: Record<string, never>): PingResult
  /** Loads the backend and says what it is. */
  backend(params: Record<string, never>): BackendInfo
  /** Trains a run, or goes on with it, writing into its folder only. */
  train(params: TrainingJob): TrainingSummary
  /** Fits the z-scoring of an imported model's run and, where its pack has CLIP, embeds the held-out trials and their images. */
  completeImport(params: TrainingJob): { embedded: number }
  /** Held-out brain patterns of a finished run against its pool of images. */
  similarity(params: { runFolder: string }): RunSimilarity
  /** Embeds trials of unknown images and finds their nearest pictures. */
  decode(params: DecodeJob): DecodedTrials
}

/** Files of a dataset (absolute paths) and the names given by `--map`. */
export interface DatasetParams {
  paths: string[]
  map: Mapping
}

export interface ReaderMethods {
  ping(params: Record<string, never>): PingResult
  /** What is in a folder of pretrained networks; reads headers only. */
  verifyPack(params: { folder: string }): PackReport
  /** What a file of weights holds; reads names and shapes only. */
  inspectCheckpoint(params: { path: string }): CheckpointInspection
  /** Compares names and shapes with those of the network, and looks at every number. */
  verifyCheckpoint(params: { path: string }): CheckpointVerdict
  /** Writes a checkpoint as safetensors with a config.json. */
  convertCheckpoint(params: Parameters<typeof convertCheckpoint>[0]): Conversion
  recognise(params: DatasetParams): Recognised
  /** Sorts files into datasets and says what each is, from names and shapes: quick. */
  propose(params: { paths: string[] }): Proposal[]
  /** Makes the deleted cache of the subject in `folder` again. */
  rebuildCache(params: { folder: string }): void
  inspect(params: DatasetParams): Inspection
  /** Writes a complete subject into `folder` (staged by the workspace), or only reports its checks when one of them forbids it. */
  importStudy(params: DatasetParams & { id: string; folder: string }): ImportResult
  /** Writes simulated subjects. */
  simulate(params: SimulateOptions): { subjects: { id: string; path: string }[] }
  /** Copies trials of unknown images into the .npy `file`, (trials, voxelCount) float32. */
  newTrials(params: DatasetParams & { voxelCount: number; file: string }): NewTrialsFile
  /** Copies the pictures of a folder into the .npy `file`, uint8 of the given shape; returns their names. */
  gallery(params: { folder: string; image: { height: number; width: number; channels: 1 | 3 }; file: string }): string[]
}
