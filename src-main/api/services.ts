import type { ActionContext } from '../actions/action.ts'
import type { Workspace } from '../workspace/index.ts'
import type { Events } from './events.ts'
import type { OpenSubjects } from './openSubjects.ts'
import type { PickedPaths } from './picked.ts'

/** What the host, Electron or Node, brings to the app. */
export interface Host {
  /** Absolute; made when it does not exist. */
  workspacePath: string
  /** Folders that the page's file browser may list, absolute. */
  allow: readonly string[]
  /** Native dialogs and the paths of dropped files exist (Electron). */
  native: boolean
  /** One line for the host's log. */
  log(line: string): void
}

/** What routes work with. */
export interface Services {
  workspace: Workspace
  ctx: ActionContext
  picked: PickedPaths
  host: Host
  events: Events
  subjects: OpenSubjects
}
