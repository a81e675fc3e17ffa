import { readFileSync } from 'node:fs'
import { formatError } from '../../../src-main/base/errors.ts'
import type { MutationFormat } from './mutations.ts'

const misdeeds: Record<string, () => unknown> = {
  a: () => {
    throw formatError('file.bad', 'letter', 'another', 'a')
  },
  b: () => {
    throw new Error('no MindEyeError')
  },
  c: () => {
    throw formatError('elsewhere', 'letter', 'another', 'c')
  },
  d: () => new Float32Array(2 ** 28),
  e: () => process.kill(process.pid, 'SIGKILL'),
  f: () => {
    for (;;);
  },
}

/** A reader that does what no reader may, to show that the harness notices. A seed's first letter says what, its second when. */
const misbehaving: MutationFormat = {
  name: 'misbehaving',
  extension: '.bad',
  seeds: ['ok', 'a.', 'b.', 'c.', 'd.', 'e.', 'f.', 'g.'].map((text) => new Uint8Array(Buffer.from(text))),
  structure: (bytes) => Uint8Array.of(bytes[0], '!'.charCodeAt(0)),
  read(path) {
    const text = readFileSync(path, 'latin1')
    if (text[1] === '!') misdeeds[text[0]]?.()
    return [{ name: 'text', shape: [text === 'g!' ? 3 : text.length], data: text }]
  },
}
export default misbehaving
