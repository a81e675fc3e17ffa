import type { ReaderMethods } from '../actions/methods.ts'
import { serve } from '../base/serve.ts'
import { writeNewTrials } from '../subjects/decodeInputs.ts'
import { galleryPicture, listGallery, writeGallerySheet, writeGallerySlice } from '../subjects/galleryPictures.ts'
import { rebuildCache } from '../subjects/cache.ts'
import { importPaths, inspectPaths, recognisePaths } from '../subjects/importer.ts'
import { proposeDatasets } from '../subjects/proposals.ts'
import { readManifest } from '../subjects/subject.ts'
import { attachSurfaces } from '../subjects/surfaces/attach.ts'
import { readOverlay } from '../subjects/surfaces/overlay.ts'
import { computeStatistics } from '../subjects/voxelStatistics.ts'

/** Entry of the reader process: it parses and fingerprints files nobody has vouched for, and may be killed at any time. */
serve<ReaderMethods>({
  ping: () => ({ pid: process.pid, node: process.version }),
  // What few sessions ask for is loaded when it is asked for; the networks' declarations come with TensorFlow.js, which nothing else here needs.
  verifyPack: async ({ folder }) => (await import('../models/pack.ts')).verifyPack(folder),
  inspectCheckpoint: async ({ path }) => (await import('../training/published/report.ts')).inspectCheckpoint(path),
  verifyCheckpoint: async ({ path }, options) =>
    (await import('../training/published/report.ts')).verifyCheckpoint(path, options),
  convertCheckpoint: async (params, options) =>
    (await import('../training/published/convert.ts')).convertCheckpoint(params, options),
  simulate: async (params, options) => (await import('../subjects/simulator/simulate.ts')).simulate(params, options),
  recognise: ({ paths, map }) => recognisePaths(paths, { map }),
  propose: ({ paths }) => proposeDatasets(paths),
  rebuildCache: ({ folder }) => rebuildCache(folder, readManifest(folder)),
  inspect: ({ paths, map }, options) => inspectPaths(paths, { map }, options),
  importStudy: ({ paths, map, id, folder }, options) => importPaths(paths, { id, map }, folder, options),
  attachSurfaces: ({ subjectFolder, paths }) => attachSurfaces(subjectFolder, paths),
  readOverlay,
  voxelStatistics: ({ subjectFolder }) => computeStatistics(subjectFolder),
  weightNorms: async ({ paths, voxels }) => (await import('../training/weightNorms.ts')).weightNorms(paths, voxels),
  newTrials: writeNewTrials,
  listGallery,
  gallerySlice: writeGallerySlice,
  gallerySheet: writeGallerySheet,
  galleryPicture,
})
