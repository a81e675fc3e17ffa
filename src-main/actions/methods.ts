import type { BackendInfo } from '../engine/backend.ts'
import type { PackReport } from '../models/pack.ts'
import type { KnockOut, KnockOutJob } from '../reconstruction/knockOut.ts'
import type { Reconstructed, ReconstructionJob } from '../reconstruction/reconstruct.ts'
import type { DecodedTrials, DecodeJob } from '../retrieval/decodeTrials.ts'
import type { EmbeddingMap, MapJob } from '../retrieval/embeddingMap.ts'
import type { GalleryAnswers, GalleryJob } from '../retrieval/galleryAnswers.ts'
import type { GallerySliceJob } from '../retrieval/galleryEmbeddings.ts'
import type { Direction } from '../retrieval/pools.ts'
import type { HeldOutJob, RunPlace } from '../retrieval/repeats.ts'
import type { KeptSimilarity } from '../retrieval/runSimilarity.ts'
import type { Conversion, convertCheckpoint } from '../training/published/convert.ts'
import type { CheckpointInspection, CheckpointVerdict } from '../training/published/report.ts'
import type { TrainingJob, TrainingSummary } from '../training/run.ts'
import type { ReadOut, ReadOutJob } from '../evaluation/readOut.ts'
import type { Comparison } from '../evaluation/comparison.ts'
import type { ReconstructionScores, ReconstructionsJob } from '../evaluation/reconstructionScores.ts'
import type { TopScores } from '../evaluation/runScores.ts'
import type { NewTrialsFile } from '../subjects/decodeInputs.ts'
import type { GallerySlice, ListedGallery, SheetShape } from '../subjects/galleryPictures.ts'
import type { ImportResult, Inspection, Recognised } from '../subjects/importer.ts'
import type { Proposal } from '../subjects/proposals.ts'
import type { ImageShape } from '../subjects/pictures.ts'
import type { SimulateOptions } from '../subjects/simulator/simulate.ts'
import type { Mapping } from '../subjects/study.ts'
import type { Check } from '../subjects/checks.ts'
import type { Overlay, OverlayJob } from '../subjects/surfaces/overlay.ts'
import type { StoredSurfaces } from '../subjects/surfaces/stored.ts'
import type { VoxelStatistics } from '../subjects/voxelStatistics.ts'

/**
 * What the two child processes can be asked, as types only: `hosts/engine.ts` and `hosts/reader.ts` must offer a handler
 * for each, and actions call them through a typed `Channel`. Parameters and results cross by structured clone (typed arrays
 * keep their type); large arrays go through files.
 */
export interface PingResult {
  pid: number
  node: string
}

/** Which scores of a run: top-k for each of `ks`, among all its images or averaged over drawn pools. */
export interface ScoresJob extends HeldOutJob {
  ks: number[]
  /** Of pools and intervals. */
  drawSeed: number
  pool?: number
}

export interface RunScores {
  /** Held-out patterns and distinct images. */
  trials: number
  images: number
  scores: Record<Direction, TopScores>
}

/** Which totals of reconstructions that were scored. */
export interface TotalsJob extends ReconstructionsJob {
  ks: number[]
  pool?: number
}

/** Two runs of a subject, with their reconstructions where there are any. */
export interface CompareJob {
  a: { place: RunPlace; reconstructions?: ReconstructionsJob }
  b: CompareJob['a']
  seed: number
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
  similarity(params: HeldOutJob): KeptSimilarity
  /** Top-k scores of a finished run in both directions. */
  scores(params: ScoresJob): RunScores
  /** Properties of scenes as read from a pack's embeddings of them. */
  readOut(params: ReadOutJob): ReadOut
  /** Scores reconstructions image by image and keeps that with the run. */
  scoreReconstructions(params: ReconstructionsJob): void
  /** Totals of the scores of reconstructions. */
  reconstructionScores(params: TotalsJob): ReconstructionScores
  /** Two runs trial by trial. */
  compareRuns(params: CompareJob): Comparison
  /** Held-out patterns of one fold and the images of the pool in two dimensions. */
  map(params: MapJob): EmbeddingMap
  /** Embeds a slice of a gallery with the encoders of a run's folds. */
  embedGallerySlice(params: GallerySliceJob): { width: number }
  /** What every held-out pattern of a finished run finds in an embedded gallery. */
  galleryAnswers(params: GalleryJob): GalleryAnswers
  /** Embeds trials of unknown images and finds their nearest pictures. */
  decode(params: DecodeJob): DecodedTrials
  /** Makes the pictures that a set of reconstructions lacks, writing into the run's folder. */
  reconstruct(params: ReconstructionJob): Reconstructed
  /** What a held-out pattern finds with and without the voxels of some areas. */
  knockOut(params: KnockOutJob): KnockOut
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
  /** Reads surfaces and gives them to an imported subject. */
  attachSurfaces(params: { subjectFolder: string; paths: string[] }): { facts: StoredSurfaces; check: Check }
  /** A map from a file, on a subject's voxels and vertices. */
  readOverlay(params: OverlayJob): Overlay
  /** Mean and SD of each voxel over all trials, kept in the subject's cache. */
  voxelStatistics(params: { subjectFolder: string }): VoxelStatistics
  /** Norm of each voxel's weights, averaged over the models, (voxels). */
  weightNorms(params: { paths: string[]; voxels: number }): Float32Array
  /** Copies trials of unknown images into the .npy `file`, (trials, voxelCount) float32. */
  newTrials(params: DatasetParams & { voxelCount: number; file: string }): NewTrialsFile
  /** The pictures below a folder, told by their contents. */
  listGallery(params: { folder: string }): ListedGallery
  /** Copies pictures into the .npy `file`, uint8 of the given shape; returns their hashes. */
  gallerySlice(params: GallerySlice & { image: ImageShape; file: string }): { hashes: Uint8Array }
  /** Writes thumbnails as one JPEG. */
  gallerySheet(params: GallerySlice & SheetShape & { file: string }): { damaged: string[] }
  /** The first picture of a slice as JPEG, at most `side` pixels a side. */
  galleryPicture(params: GallerySlice & { side: number }): { jpeg: Uint8Array }
}
