import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openBytes } from '../../src-main/formats/source.ts'
import { encodeTable, openTable } from '../../src-main/formats/table.ts'
import { messageOf } from './values.ts'

const open = (text: string | Uint8Array, name = 'table.csv') => openTable(openBytes(Buffer.from(text), name))

describe('openTable', () => {
  it('reads the events of a BIDS run', () => {
    const table = open('onset\tduration\ttrial_type\n0.5\t3\tfaces, left\r\n4\tn/a\thouse\n', 'sub-01_events.tsv')
    expect([table.columns, table.rowCount]).toEqual([['onset', 'duration', 'trial_type'], 2])
    expect([...table.numbers('onset')]).toEqual([0.5, 4])
    expect([...table.numbers('duration')]).toEqual([3, NaN])
    expect(table.text('trial_type')).toEqual(['faces, left', 'house'])
  })

  it('reads quotes, line ends in cells, a byte order mark and blank lines', () => {
    const table = open('\ufeffname,note\n\n"a ""b"", c","two\nlines"\r\n5" disc,\n"",x')
    expect(table.columns).toEqual(['name', 'note'])
    expect(table.text('name')).toEqual(['a "b", c', '5" disc', ''])
    expect(table.text('note')).toEqual(['two\nlines', '', 'x'])
  })

  it('takes the tab as separator where the name does not say and the first line has one', () => {
    expect(open('a\tb,c\n1\t2', 'trials.txt').columns).toEqual(['a', 'b,c'])
  })

  it.each(['1', '-2.5', '+3', '.5', '1e-3', '  7 ', '-Infinity'])('the number %s', (cell) => {
    expect([...open(`a\n"${cell}"`).numbers('a')]).toEqual([Number(cell)])
  })

  it.each([
    ['a line of other length', 'a,b\n1,2\n\n3\n', 'line 4: expected 2 cells, found 1'],
    ['a column twice', 'a,a\n', 'header: expected a name of its own'],
    ['a nameless column', 'a,\n', 'header'],
    ['nothing', '', 'header: expected a line'],
    ['a quote that is not closed', 'a,b\n1,"2\n', 'line 2: expected a closing quote'],
    ['text after a quote', 'a\n"1"2\n', 'line 2: expected a separator after a closing quote, found "2"'],
    ['binary data', 'a\n\0', 'binary data'],
    ['other bytes than UTF-8', Uint8Array.of(97, 10, 255), 'text: expected UTF-8'],
  ])('refuses %s', (_, text, message) => {
    expect(messageOf(() => open(text))).toMatch('MindEyeError: table.csv, ')
    expect(messageOf(() => open(text))).toContain(message)
  })

  it.each(['x', '0x10', '1,5', '1e', 'Inf'])('%s is no number', (cell) => {
    const table = open(`a\n3\n"${cell}"`)
    expect(messageOf(() => table.numbers('a'))).toContain(`row 2, a: expected a number, found "${cell}"`)
    expect(messageOf(() => table.text('b'))).toContain('columns: expected b, found a')
  })
})

describe('encodeTable', () => {
  it('reads back any text', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'ü', '"', ',', '\t', '\n', '\r', ' ', '1', '\ufeff') })
    const name = fc.string({ minLength: 1, unit: fc.constantFrom('a', 'b', '"', ',', '\t', '\n', 'é', '0') })
    const columns = fc.uniqueArray(name, { minLength: 1, maxLength: 4 })
    const tables = columns.chain((names) => fc.tuple(fc.constant(names), fc.array(fc.tuple(...names.map(() => cell)))))
    fc.assert(
      fc.property(tables, fc.constantFrom<',' | '\t'>(',', '\t'), ([names, rows], separator) => {
        const table = Object.fromEntries(names.map((n, i): [string, string[]] => [n, rows.map((row) => row[i])]))
        const read = openTable(openBytes(encodeTable(table, separator), separator === ',' ? 'x.csv' : 'x.tsv'))
        expect(read.columns).toEqual(Object.keys(table))
        for (const n of names) expect(read.text(n)).toEqual(table[n])
      }),
    )
  })

  it('writes numbers and refuses columns of different length', () => {
    expect(Buffer.from(encodeTable({ a: [1, 2.5], b: Int32Array.of(3, 4) })).toString()).toBe('a\tb\n1\t3\n2.5\t4\n')
    expect(() => encodeTable({ a: [1], b: [] })).toThrow(RangeError)
  })
})
