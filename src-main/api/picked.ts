import { randomUUID } from 'node:crypto'
import { isAbsolute } from 'node:path'
import { MindEyeError } from '../base/errors.ts'

const PREFIX = 'picked:'

/**
 * The paths that the user chose (dropped, uploaded, picked in a dialog), known to a page by opaque handles only, so that no page can
 * make us read or write what its user has not shown us. Handles live as long as the app.
 */
export class PickedPaths {
  private readonly paths = new Map<string, string>()

  /** A new handle for an absolute path. */
  add(path: string): string {
    if (!isAbsolute(path)) throw new RangeError(`a picked path must be absolute: ${path}`)
    const handle = PREFIX + randomUUID()
    this.paths.set(handle, path)
    return handle
  }

  /** The path behind a handle; throws an input error for anything else, a plain path above all. */
  resolve(handle: string): string {
    const path = this.paths.get(handle)
    if (path !== undefined) return path
    throw new MindEyeError({
      kind: 'input',
      where: 'a path',
      expected: 'a file or folder that was dropped or picked in this window since the app started',
      found: `'${handle}'`,
      fix: 'Drop it or pick it again.',
    })
  }
}
