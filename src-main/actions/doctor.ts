import * as v from 'valibot'
import { diagnose } from '../engine/doctor.ts'
import { defineAction } from './action.ts'

/** Whether the engine works on this machine, link by link. */
export const doctor = defineAction({
  name: 'doctor',
  summary:
    'Check each link of the engine (driver, libraries, one kernel, memory, disk) and say how to mend what is broken.',
  input: v.object({}),
  run: () => diagnose(),
  format: ({ ok, links }) => {
    const width = Math.max(...links.map((link) => link.name.length))
    const lines = links.flatMap(({ name, ok, detail, fix }) => [
      `${ok ? '✓' : '✗'} ${name.padEnd(width)}  ${detail}`,
      ...(fix ? [`  ${' '.repeat(width)}  → ${fix}`] : []),
    ])
    return [...lines, ok ? 'The engine works.' : 'The engine does not work as it should.'].join('\n')
  },
  exitCode: ({ ok }) => (ok ? 0 : 1),
})
