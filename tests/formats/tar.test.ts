import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { encodeNpy, openNpy } from '../../src-main/formats/npy.ts'
import { openFile } from '../../src-main/formats/source.ts'
import { createTar, openTar } from '../../src-main/formats/tar.ts'
import { fixture, fixtureBytes, fromMemory, messageOf, numbers } from './values.ts'

const folder = mkdtempSync(join(tmpdir(), 'mindeye-tar-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe("archives of Python's tarfile", () => {
  it.each([
    ['ustar', 'deep/'.repeat(25) + 'file.txt'],
    ['pax', 'deep/'.repeat(30) + 'ünï.txt'],
    ['gnu', 'deep/'.repeat(30) + 'ünï.txt'],
  ])('%s: files in order, folders and links left out, long names whole', (format, long) => {
    const tar = openTar(fixture(`${format}.tar`))
    expect(tar.entries.map(({ name, size }) => [name, size])).toEqual([
      ['000.jpg', 700],
      ['000.npy', 0],
      [long, 10],
      ['001.jpg', 512],
    ])
    const [first, empty, text, last] = tar.entries.map((entry) => Buffer.from(tar.read(entry)))
    expect(first.equals(Buffer.alloc(700, 'x'))).toBe(true)
    expect(empty.length).toBe(0)
    expect(text.toString()).toBe('pax or GNU')
    expect(last.equals(Buffer.from([...Array(512).keys()]))).toBe(true)
    tar.close()
  })
})

describe('createTar', () => {
  it('writes what openTar reads, names of any length, and an entry opens as a source', async () => {
    const names = fc.string({ minLength: 1, maxLength: 300 }).filter((name) => !/[\0\n\\]|\/$|^\s|\s$/.test(name))
    const entries = fc.uniqueArray(fc.tuple(names, fc.uint8Array({ maxLength: 1500 })), { selector: ([name]) => name })
    const path = join(folder, 'any.tar')
    await fc.assert(
      fc.asyncProperty(entries, async (list) => {
        const tar = createTar(path)
        for (const [name, bytes] of list) await tar.add(name, bytes)
        await tar.close()
        const read = openTar(openFile(path))
        expect(read.entries.map((entry) => [entry.name, Array.from(read.read(entry))])).toEqual(
          list.map(([name, bytes]) => [name, Array.from(bytes)]),
        )
        read.close()
      }),
      { numRuns: 30 },
    )
  })

  it('the same entries give the same bytes, and an array in an archive is read in place', async () => {
    const array = encodeNpy({ dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) })
    for (const name of ['one.tar', 'two.tar']) {
      const tar = createTar(join(folder, name))
      await tar.add('a.npy', array)
      await tar.close()
    }
    expect(readFileSync(join(folder, 'one.tar')).equals(readFileSync(join(folder, 'two.tar')))).toBe(true)
    const tar = openTar(openFile(join(folder, 'one.tar')))
    expect(numbers(openNpy(tar.open(tar.entries[0])).arrays[0].readRows(1, 2))).toEqual([3, 4])
    tar.close()
  })

  it('reports a folder that does not exist', async () => {
    const tar = createTar(join(folder, 'nowhere', 'x.tar'))
    await expect(tar.add('a', Uint8Array.of(1)).then(() => tar.close())).rejects.toThrow('ENOENT')
  })
})

describe('damaged archives', () => {
  /** The archive with a field of its third header (a file of 700 bytes) changed and the checksum made right. */
  function changed(offset: number, text: string): Uint8Array {
    const bytes = Buffer.from(fixtureBytes('ustar.tar'))
    const header = bytes.subarray(1024, 1536)
    header.write(text, offset, 'latin1')
    header.fill(' ', 148, 156)
    const sum = header.reduce((a, b) => a + b, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    return bytes
  }
  it.each([
    ['a size beyond the archive', changed(124, '77777777777'), 'size in header at 1024: expected at most 8704 bytes'],
    [
      'a size in base 256 beyond 2^53',
      changed(124, '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff'),
      'octal number',
    ],
    ['a negative size', changed(124, '-0000000001'), 'octal number'],
    ['no name', changed(0, '\0'), 'expected a name'],
    ['a sparse file', changed(156, 'S'), 'found an entry of type "S"'],
    ['no end', fixtureBytes('ustar.tar').subarray(0, 5120), 'header after 001.jpg'],
    ['an archive cut inside a header', fixtureBytes('ustar.tar').subarray(0, 1100), 'header'],
    ['data after the end', Buffer.concat([fixtureBytes('ustar.tar'), Buffer.from('x')]), 'nothing but zeros'],
    [
      'a wrong checksum',
      fixtureBytes('ustar.tar').map((byte, i) => (i === 1030 ? byte ^ 1 : byte)),
      'checksum of header at 1024',
    ],
    [
      'a pax record that is too long',
      fixtureBytes('pax.tar').map((byte, i) => (i === 4097 - 512 ? 0x39 : byte)),
      'records',
    ],
    ['not an archive', Buffer.alloc(1024, 7), 'checksum of header at 0'],
  ])('%s', (_, bytes, message) => {
    const error = messageOf(() => openTar(fromMemory(bytes)))
    expect(error).toMatch('MindEyeError: memory, ')
    expect(error).toContain(message)
  })
})
