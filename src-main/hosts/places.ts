import { homedir } from 'node:os'
import { join } from 'node:path'

/** Kept from one start to the next, because a browser keeps a page's settings by its address. */
export const defaultPort = 47310

/** The workspace of someone who names none. */
export function defaultWorkspace(): string {
  return join(homedir(), 'MindEye')
}
