import type { Workspace } from '../workspace/index.ts'

/**
 * Which dropped files something of the workspace is made of: by group, who reads them where they lie (`subject ID`, `gallery ID`,
 * `pack ID`, `job N`). The same files dropped twice are one group, so whoever removes something asks here first.
 */
export function uploadUsers({ uploads, subjects, galleries, packs, jobs }: Workspace): Map<string, Set<string>> {
  const users = new Map<string, Set<string>>()
  const note = (path: string, user: string) => {
    const group = uploads.groupOf(path)
    if (group) users.set(group, (users.get(group) ?? new Set()).add(user))
  }
  for (const { id, manifest } of subjects.list())
    for (const { path } of manifest.sources as { path: string }[]) note(path, `subject ${id}`)
  for (const { id, folder } of galleries.list()) note(folder, `gallery ${id}`)
  for (const { id, folder } of packs.list()) note(folder, `pack ${id}`)
  // What is only looked at may go meanwhile.
  for (const { id, action, state, input } of jobs.list())
    if ((state === 'running' || state === 'queued') && action !== 'inspect')
      for (const path of strings(input)) note(path, `job ${id}`)
  return users
}

/** Removes dropped files that nobody reads, and leaves the others; true when they are gone. */
export function discardUnused(workspace: Workspace, group: string): boolean {
  if (uploadUsers(workspace).has(group)) return false
  workspace.uploads.discard(group)
  return true
}

/** All strings in a plain value. */
function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : []
}
