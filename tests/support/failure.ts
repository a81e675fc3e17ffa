import { expect } from 'vitest'
import { MindEyeError } from '../../src-main/base/errors.ts'

/** The `MindEyeError` that a promise rejects with; fails when it resolves or rejects with anything else. */
export async function failure(promise: Promise<unknown>): Promise<MindEyeError> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  )
  expect(error).toBeInstanceOf(MindEyeError)
  return error as MindEyeError
}
