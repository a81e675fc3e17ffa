import type { EngineMethods } from '../actions/methods.ts'
import { serve } from '../base/serve.ts'
import { loadBackend } from '../engine/backend.ts'
import { decodeTrials } from '../retrieval/decodeTrials.ts'
import { runSimilarity } from '../retrieval/runSimilarity.ts'
import { loadRunTest } from '../training/foldTest.ts'
import { completeImport } from '../training/importedRun.ts'
import { runTraining } from '../training/run.ts'

/** Entry of an engine process: TensorFlow calls block, so they run here and not beside the user interface. */
serve<EngineMethods>({
  ping: () => ({ pid: process.pid, node: process.version }),
  backend: () => loadBackend(),
  async train(job, options) {
    await loadBackend()
    return runTraining(job, options)
  },
  async completeImport(job) {
    await loadBackend()
    return completeImport(job)
  },
  async similarity({ runFolder }) {
    await loadBackend()
    return runSimilarity(loadRunTest(runFolder))
  },
  async decode(job, options) {
    await loadBackend()
    return decodeTrials(job, options)
  },
})
