/** How a child process ended. */
export interface Death {
  exitCode: number | null
  signal: string | null
  /** The last lines it printed, oldest first. */
  lastLines: string[]
  /** Set when we killed it ourselves, with the reason. */
  killedFor?: string
  /** Set when it could not even be started. */
  spawnError?: string
}

const outOfMemory =
  /heap out of memory|Array buffer allocation failed|std::bad_alloc|ResourceExhausted|OOM when allocating|Cannot allocate memory/i

/** Why a process died and what its user can do about it, as the three parts of an error. */
export function explainDeath(death: Death): { expected: string; found: string; fix: string } {
  const { exitCode, signal, lastLines, killedFor, spawnError } = death
  const expected = 'the process to answer'
  const last = lastWords(lastLines)
  const words = last ? ` (its last words: ${last})` : ''
  const kept = 'Everything written so far is kept'
  if (spawnError) return { expected: 'the process to start', found: spawnError, fix: 'Run the doctor command.' }
  if (killedFor) return { expected, found: `that it was stopped because ${killedFor}`, fix: `${kept}.` }
  if (lastLines.some((line) => outOfMemory.test(line)))
    return {
      expected,
      found: `that it ran out of memory${words}`,
      fix: `${kept}; use a smaller batch or model, or close other programs, then resume.`,
    }
  if (signal === 'SIGKILL')
    return {
      expected,
      found: `that it was killed from outside (SIGKILL), which is what the system does when memory runs out${words}`,
      fix: `${kept}; free memory or use a smaller batch or model, then resume.`,
    }
  if (signal === 'SIGTERM' || signal === 'SIGINT' || signal === 'SIGHUP')
    return { expected, found: `that it was asked to stop (${signal})`, fix: `${kept}; start the work again or resume.` }
  if (signal)
    return {
      expected,
      found: `a crash in native code (${signal})${words}`,
      fix: `${kept}; resume, and run the doctor command if it happens again.`,
    }
  return {
    expected,
    found: `that it ended by itself with exit code ${exitCode}${words}`,
    fix: `${kept}; resume, and run the doctor command if it happens again.`,
  }
}

/** The line that says most about the end: the last one that names an error, else the last that is not a stack trace. */
function lastWords(lines: string[]): string | undefined {
  const telling = lines.filter(
    (line) => !/^\s*(at |[}{\]]|\^|[\w']+: \[?'?|Node\.js v\d)/.test(line) || /error/i.test(line),
  )
  return (telling.findLast((line) => /error|fatal|terminate|abort|assert/i.test(line)) ?? telling.at(-1))
    ?.trim()
    .slice(0, 500)
}
