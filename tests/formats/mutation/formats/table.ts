import { openFile } from '../../../../src-main/formats/source.ts'
import { encodeTable, openTable } from '../../../../src-main/formats/table.ts'
import { changeText, join } from '../mutations.ts'
import type { MutationFormat } from '../mutations.ts'

const numbers = Array.from({ length: 40 }, (_, i) => (i * 7) / 4)
const columns = {
  onset: numbers,
  duration: numbers.map(() => 3),
  trial_type: numbers.map((n) => `stimulus "${n}", left`),
}
const marks = ['"', '""', '\n', '\r', '\t', ',', '\0', '\xff', '\xc3', ' ']

const table: MutationFormat = {
  name: 'table',
  extension: '.txt',
  seeds: [encodeTable(columns, ','), encodeTable(columns, '\t')],
  expansion: 40,
  structure(bytes, random) {
    const headerEnd = bytes.indexOf(0x0a)
    if (random.int(4) === 0) return changeText(bytes, 0, headerEnd, random)
    const at = random.int(bytes.length)
    const mark = Buffer.from(marks[random.int(marks.length)], 'latin1')
    return join(bytes.subarray(0, at), mark, bytes.subarray(at + random.int(2)))
  },
  read(path) {
    const source = openFile(path)
    try {
      const opened = openTable(source)
      return opened.columns.flatMap((name) => [
        { name, shape: [opened.rowCount], data: opened.text(name).map((cell) => cell.length) },
        ...(name === 'onset' ? [{ name: 'numbers', shape: [opened.rowCount], data: opened.numbers(name) }] : []),
      ])
    } finally {
      source.close()
    }
  },
}
export default table
