import { spawn } from 'node:child_process'
import { explainDeath } from './death.ts'

export interface ChildResult {
  out: string
  /** The program does not exist. */
  missing: boolean
  /** Set when it did not end with code 0: how it ended. */
  death?: string
}

/** Runs a program to its end, at most `timeout` ms; never rejects. */
export function runChild(
  command: string,
  args: string[],
  timeout: number,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ChildResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL', env })
    let out = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ out, missing: error.code === 'ENOENT', death: error.message })
    })
    child.on('close', (exitCode, signal) => {
      if (exitCode === 0) return resolve({ out, missing: false })
      const lastLines = errors.trim().split('\n').slice(-20)
      const killedFor = child.killed ? `it took longer than ${timeout / 1000} s` : undefined
      resolve({ out, missing: false, death: explainDeath({ exitCode, signal, lastLines, killedFor }).found })
    })
  })
}
