/**
 * The one error that users see: what was expected, what was found, what to do.
 * `kind` tells the hosts how to treat it: `input` and `format` are the user's to mend, `state` means the workspace is not
 * ready for the action, `engine` is a TensorFlow or driver failure, `aborted` a cancelled job.
 */
export type ErrorKind = 'input' | 'format' | 'state' | 'engine' | 'aborted'

export interface ErrorParts {
  kind: ErrorKind
  /** The file, option or object at fault, e.g. `voxels.npy` or `--split`. */
  where?: string
  /** The field inside it, e.g. `header length`. */
  field?: string
  expected: string
  found: string
  /** What to do about it, a full sentence. */
  fix?: string
}

export class MindEyeError extends Error {
  readonly parts: ErrorParts

  constructor(parts: ErrorParts, options?: ErrorOptions) {
    const place = [parts.where, parts.field].filter(Boolean).join(', ')
    super(
      `${place ? `${place}: ` : ''}expected ${parts.expected}, found ${parts.found}.${parts.fix ? ` ${parts.fix}` : ''}`,
      options,
    )
    this.name = 'MindEyeError'
    this.parts = parts
  }
}

/** A file that is not what its format promises. */
export function formatError(where: string, field: string, expected: string, found: string, fix?: string): MindEyeError {
  return new MindEyeError({ kind: 'format', where, field, expected, found, fix })
}
