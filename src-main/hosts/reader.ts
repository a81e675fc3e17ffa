import type { ReaderMethods } from '../actions/methods.ts'
import { serve } from '../base/serve.ts'

/** Entry of the reader process: it parses and fingerprints files nobody has vouched for, and may be killed at any time. */
serve<ReaderMethods>({
  ping: () => ({ pid: process.pid, node: process.version }),
})
