import type { EngineMethods } from '../actions/methods.ts'
import { serve } from '../base/serve.ts'

/** Entry of an engine process: TensorFlow calls block, so they run here and not beside the user interface. */
serve<EngineMethods>({
  ping: () => ({ pid: process.pid, node: process.version }),
})
