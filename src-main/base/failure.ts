import { MindEyeError } from './errors.ts'

/** Codes of the operating system that a user can do something about. */
const systemErrors: Record<string, { found: string; fix: string }> = {
  ENOSPC: { found: 'that the disk is full', fix: 'Free some space and try again; nothing half-written is kept.' },
  EDQUOT: { found: 'that your disk quota is used up', fix: 'Free some space and try again.' },
  EACCES: { found: 'that permission is denied', fix: 'Check the permissions of the path.' },
  EPERM: { found: 'that permission is denied', fix: 'Check the permissions of the path.' },
  EROFS: { found: 'a read-only disk', fix: 'Choose a folder that can be written.' },
  ENOENT: { found: 'no such file or folder', fix: 'Check the path.' },
  EMFILE: { found: 'too many open files', fix: 'Close other programs or raise the limit (ulimit -n).' },
  EIO: { found: 'that the disk reports an error', fix: 'Check the disk; nothing half-written is kept.' },
}

/** Any error as the one that users see. What is left as it came is a fault of ours: its stack is in `cause`. */
export function toMindEyeError(error: unknown): MindEyeError {
  if (error instanceof MindEyeError) return error
  const { code, path, message, name } = (error ?? {}) as NodeJS.ErrnoException
  if (name === 'AbortError')
    return new MindEyeError({ kind: 'aborted', expected: 'the work to finish', found: 'that it was cancelled' })
  const known = code === undefined ? undefined : systemErrors[code]
  if (known)
    return new MindEyeError({ kind: 'state', where: path, expected: 'to use the disk', ...known }, { cause: error })
  const found = String(message ?? error).replace(/\.$/, '')
  return new MindEyeError(
    { kind: 'engine', expected: 'the work to finish', found, fix: 'This is a fault of the program; please report it.' },
    { cause: error },
  )
}
