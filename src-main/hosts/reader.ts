import type { ReaderMethods } from '../actions/methods.ts'
import { serve } from '../base/serve.ts'
import { writeGallery, writeNewTrials } from '../subjects/decodeInputs.ts'
import { importPaths, inspectPaths, recognisePaths } from '../subjects/importer.ts'

/** Entry of the reader process: it parses and fingerprints files nobody has vouched for, and may be killed at any time. */
serve<ReaderMethods>({
  ping: () => ({ pid: process.pid, node: process.version }),
  recognise: ({ paths, map }) => recognisePaths(paths, { map }),
  inspect: ({ paths, map }, options) => inspectPaths(paths, { map }, options),
  importStudy: ({ paths, map, id, folder }, options) => importPaths(paths, { id, map }, folder, options),
  newTrials: writeNewTrials,
  gallery: writeGallery,
})
