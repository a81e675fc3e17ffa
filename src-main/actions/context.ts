import { resolve } from 'node:path'
import { layout } from '../base/layout.ts'
import { engineMemory, openChannel, type Channel } from '../engine/channel.ts'
import { libraryEnvironment } from '../engine/cuda.ts'
import { deviceEnvironment } from '../engine/devices.ts'
import { readSettings } from '../workspace/settings.ts'
import type { Workspace } from '../workspace/index.ts'
import type { ActionContext } from './action.ts'
import type { EngineMethods, ReaderMethods } from './methods.ts'

export interface OwnedContext extends ActionContext {
  /** Ends the processes and closes the workspaces that actions opened. */
  close(): Promise<void>
}

/** The context of the CLI and of the hosts of the app. `log` receives one line for the human at a time. */
export function createContext(log: (line: string) => void): OwnedContext {
  const workspaces = new Map<string, Workspace>()
  const engines = new Set<Channel<EngineMethods>>()
  /** What was chosen to compute for the workspace (of several, for the first that was opened), with which library. */
  const chosenDevice = () => {
    const [root] = workspaces.keys()
    const { device, threads } = root === undefined ? { device: 'auto', threads: 0 } : readSettings(root)
    return { ...libraryEnvironment(), ...deviceEnvironment(device, threads) }
  }
  const startEngine = () => {
    const channel = openChannel<EngineMethods>({
      name: 'the engine process',
      entry: layout.entry('engine'),
      env: { ...engineMemory, ...chosenDevice() },
      onLine: (line) => log(`engine: ${line}`),
    })
    engines.add(channel)
    void channel.exited.then(() => engines.delete(channel))
    return channel
  }
  let engine: Channel<EngineMethods> | undefined
  let engineDevice = ''
  let reader: Channel<ReaderMethods> | undefined
  return {
    log,
    async workspace(path, options) {
      const root = resolve(path)
      let workspace = workspaces.get(root)
      if (!workspace) {
        // Commands that need no workspace need not wait for SQLite either.
        const { Workspace } = await import('../workspace/index.ts')
        workspace = Workspace.open(root, options)
        workspaces.set(root, workspace)
        workspace.problems.forEach((problem) => log(`warning: ${problem}`))
      }
      return workspace
    },
    engine() {
      const device = JSON.stringify(chosenDevice())
      if (engine?.alive && device === engineDevice) return engine
      // Another device was chosen: the next question goes to a process that computes on it.
      void engine?.close()
      engineDevice = device
      engine = startEngine()
      return engine
    },
    ownEngine: startEngine,
    reader() {
      if (!reader?.alive) reader = openChannel({ name: 'the reader process', entry: layout.entry('reader') })
      return reader
    },
    async close() {
      await Promise.all([...[...engines].map((channel) => channel.close()), reader?.close()])
      for (const workspace of workspaces.values()) workspace.close()
      workspaces.clear()
    },
  }
}
