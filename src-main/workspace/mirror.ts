import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MindEyeError } from '../base/errors.ts'
import { isTemporary } from '../base/files.ts'
import type { JsonObject } from './records.ts'

/** Ids are folder names and appear in addresses, so they stay short, plain and free of path parts. */
export function checkId(id: string, what: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(id)) return id
  throw new MindEyeError({
    kind: 'input',
    where: what,
    expected: 'letters, digits, dot, hyphen or underscore, at most 80, beginning with a letter or digit',
    found: `'${id}'`,
  })
}

export interface MirroredFile {
  id: string
  content: JsonObject
  mtime: number
}

/**
 * The JSON file `name` of each folder inside `folder`, for those whose mtime differs from `known`; damaged ones are told in
 * `problems` and left alone.
 */
export function readChanged(folder: string, name: string, known: Map<string, number>) {
  const changed: MirroredFile[] = []
  const present = new Set<string>()
  const problems: string[] = []
  for (const entry of existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []) {
    if (!entry.isDirectory() || isTemporary(entry.name)) continue
    const path = join(folder, entry.name, name)
    const mtime = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (mtime === undefined) {
      problems.push(`${join(folder, entry.name)} has no ${name}; it is left out of the index`)
      continue
    }
    try {
      if (known.get(entry.name) !== mtime) changed.push({ id: entry.name, content: readJson(path), mtime })
      present.add(entry.name)
    } catch (error) {
      problems.push(`${path} cannot be read (${(error as Error).message}); it is left out of the index`)
    }
  }
  return { changed, gone: [...known.keys()].filter((id) => !present.has(id)), problems }
}

function readJson(path: string): JsonObject {
  const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it is not a JSON object')
  return value as JsonObject
}
