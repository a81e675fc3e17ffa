import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ErrorParts } from '../../src-main/base/errors.ts'
import { nodeBinary } from '../../src-main/engine/channel.ts'

const entry = fileURLToPath(new URL('../../src-main/hosts/cli.ts', import.meta.url))
const compiled = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url))

export interface Outcome {
  code: number | null
  out: string
  err: string
}

/** Runs one command of the real CLI to its end. */
export function mindeye(...args: string[]): Promise<Outcome> {
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled }
  const child = spawn(nodeBinary(), [entry, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
  const outcome = { out: '', err: '' }
  child.stdout.on('data', (text: Buffer) => (outcome.out += text.toString()))
  child.stderr.on('data', (text: Buffer) => (outcome.err += text.toString()))
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...outcome })))
}

/** The JSON document that a command ends with; a failed command fails the test with what it said. */
export async function ask<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await mindeye(...args, '--json')
  if (code !== 0) throw new Error(`mindeye ${args.join(' ')} ended with ${code}:\n${err}`)
  return JSON.parse(out.trimEnd().split('\n').at(-1)!) as T
}

/** The error that a command must end with. */
export async function refusal(...args: string[]): Promise<ErrorParts & { code: number | null; message: string }> {
  const { code, out } = await mindeye(...args, '--json')
  const { error } = JSON.parse(out.trimEnd().split('\n').at(-1)!) as { error: ErrorParts & { message: string } }
  return { code, ...error }
}
