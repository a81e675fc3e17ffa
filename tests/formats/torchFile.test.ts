import { describe, expect, it } from 'vitest'
import type { DType } from '../../src-main/formats/array.ts'
import type { Inert } from '../../src-main/formats/inert.ts'
import { openTorchFile } from '../../src-main/formats/torchFile.ts'
import type { TorchValue } from '../../src-main/formats/torchTree.ts'
import { fixture, fixtureBytes, fromMemory, messageOf, numbers, ruleValues } from './values.ts'

const open = (name: string) => openTorchFile(fixture(name))
const named = (name: string) => new Map(open(name).arrays.map((entry) => [entry.name, entry]))

describe.each(['torch_types.pth', 'torch_legacy4.pth'])('%s', (name) => {
  const file = open(name)
  const content = file.value as Map<string, TorchValue>

  it('has the types that came late, parameters and tensors with attributes', () => {
    const types = ['int8', 'int16', 'uint16', 'uint32', 'uint64'] as const
    const expected: [string, DType, number[]][] = types.map((type) => [`types.${type}`, type, [3, 5]])
    expected.push(['attribute', 'float32', [2, 3]], ['tagged', 'float32', [2, 3]])
    expect(file.arrays.map((entry) => [entry.name, entry.dtype, entry.shape])).toEqual(expected)
    for (const entry of file.arrays) {
      const all = ruleValues(entry.dtype, entry.shape)
      expect(numbers(entry.read())).toEqual(all)
      expect(numbers(entry.readRows(1, 2))).toEqual(all.slice(entry.shape[1], 2 * entry.shape[1]))
    }
  })

  it('has plain values as they were', () => {
    const { complex, dtype, array, itself, default: counter, types: _, ...rest } = Object.fromEntries(content)
    expect(rest).toEqual({
      attribute: file.arrays[5],
      tagged: file.arrays[6],
      size: [3, 5],
      device: 'cuda:1',
      set: new Set(['one']),
      huge: -(2n ** 80n),
      loss: 0.25,
      steps: 7,
      bytes: Uint8Array.of(0, 255),
      names: [
        ['a', 1.5],
        [true, null],
      ],
    })
    expect(counter).toEqual(new Map([['a', [1]]]))
    expect(itself).toEqual(rest.names)
    // What we have no arrays of is told, but does not stand in the way.
    const inert = [complex, dtype, array].map((value) => [(value as Inert).is, (value as Inert).className])
    expect(inert).toEqual([
      ['instance', 'tensor of torch.ComplexFloatStorage [2]'],
      ['reference', 'torch.bfloat16'],
      ['instance', 'numpy.ndarray'],
    ])
  })
})

describe('other files of PyTorch', () => {
  const module = {
    '0.weight': [2, 3],
    '0.bias': [2],
    '1.weight': [2],
    '1.bias': [2],
    '1.running_mean': [2],
    '1.running_var': [2],
    '1.num_batches_tracked': [],
  }
  it.each(['torch_module.pth', 'torch_script.pt'])('%s: parameters of a module that was saved whole', (name) => {
    const entries = named(name)
    expect(Object.fromEntries([...entries].map(([key, { shape }]) => [key, shape]))).toEqual(module)
    for (const entry of entries.values()) expect(numbers(entry.read())).toEqual(ruleValues(entry.dtype, entry.shape))
  })

  it('a tensor alone', () =>
    expect(numbers(named('torch_bare.pth').get('tensor')!.read())).toEqual(ruleValues('float32', [2, 3])))

  it.each(['torch_big_endian.pth', 'torch_zip64.pth'])('%s', (name) => {
    const entries = named(name)
    expect(numbers(entries.get('w')!.read())).toEqual(ruleValues('float32', [3, 5]))
    expect(numbers(entries.get('w')!.readRows(2, 3))).toEqual(ruleValues('float32', [3, 5]).slice(10))
    expect(numbers(entries.get('h')!.read())).toEqual(ruleValues('float16', [4]))
  })

  it('a storage that is a part of another', () => {
    const entries = named('torch_parts.pth')
    const all = ruleValues('float32', [15])
    expect(numbers(entries.get('all')!.read())).toEqual(all.slice(0, 6))
    expect(numbers(entries.get('from_3')!.read())).toEqual(all.slice(3, 9))
  })

  it('compressed members are refused', () =>
    expect(messageOf(() => open('torch_deflated.pth'))).toContain('expected a member stored as it is'))
})

describe('views', () => {
  /** A file whose only tensor has this layout over a storage of `count` float32. */
  function viewOf(count: number, offset: number, size: number[], stride: number[]) {
    const bytes = Buffer.from(fixtureBytes('torch_parts.pth'))
    const head = bytes.subarray(0, bytes.indexOf('\x80\x02}', 40, 'latin1'))
    const tail = Buffer.from('\x80\x02]X\x04\0\0\0roota.', 'latin1')
    const data = Float32Array.from({ length: count }, (_, i) => i)
    const length = Buffer.alloc(8)
    length.writeUInt32LE(count)
    const ints = (list: number[]) => Buffer.concat([Buffer.from('('), ...list.map(int), Buffer.from('t')])
    const int = (n: number) => Buffer.concat([Buffer.from('J'), Buffer.from(Int32Array.of(n).buffer)])
    const text = (s: string) =>
      Buffer.concat([Buffer.from('X'), Buffer.from(Int32Array.of(s.length).buffer), Buffer.from(s)])
    const pickle = Buffer.concat([
      Buffer.from('\x80\x02ctorch._utils\n_rebuild_tensor\n((', 'latin1'),
      ...[text('storage'), Buffer.from('ctorch\nFloatStorage\n'), text('root'), text('cpu'), int(count)],
      ...[Buffer.from('NtQ'), int(offset), ints(size), ints(stride), Buffer.from('tR.')],
    ])
    return openTorchFile(fromMemory(Buffer.concat([head, pickle, tail, length, Buffer.from(data.buffer)]))).arrays[0]
  }

  it('large transposed and strided ones equal the plain gathering, by rows too', () => {
    const layouts: [number[], number[], number][] = [
      [[300, 200], [1, 300], 0],
      [[200, 100], [300, 3], 5],
      [[50, 40, 30], [1, 50, 2000], 0],
      [[100, 7, 80], [80, 0, 1], 16],
    ]
    for (const [size, stride, offset] of layouts) {
      const entry = viewOf(60_016, offset, size, stride)
      const at = (index: number[]) => offset + index.reduce((sum, i, axis) => sum + i * stride[axis], 0)
      const expected: number[] = []
      const walk = (index: number[]): void => {
        if (index.length === size.length) expected.push(at(index))
        else for (let i = 0; i < size[index.length]; i++) walk([...index, i])
      }
      walk([])
      expect(Buffer.from(entry.read().data.buffer).equals(Buffer.from(Float32Array.from(expected).buffer))).toBe(true)
      const width = expected.length / size[0]
      expect(numbers(entry.readRows(3, 5))).toEqual(expected.slice(3 * width, 5 * width))
      expect(numbers(entry.readRows(4, 4))).toEqual([])
      expect(() => entry.readRows(0, size[0] + 1)).toThrow(RangeError)
    }
  })

  it.each([
    ['beyond its storage', [3, 5], [5, 1], 1, 'elements up to'],
    ['of negative strides', [3, 5], [5, -1], 0, 'an offset, a size and strides'],
    ['of sizes without strides', [3, 5], [5], 0, 'an offset, a size and strides'],
    ['expanded beyond measure', [2 ** 30, 15], [0, 1], 0, 'size: expected at most'],
    ['of too many axes', new Array<number>(65).fill(1), new Array<number>(65).fill(1), 0, 'an offset'],
  ])('%s: refused', (_, size, stride, offset, message) =>
    expect(messageOf(() => viewOf(15, offset, size, stride))).toContain(message),
  )
})

/** What a hostile file can try: a legacy file whose object is this pickle. */
describe('attacks', () => {
  const intact = Buffer.from(fixtureBytes('torch_parts.pth'))
  const head = intact.subarray(0, intact.indexOf('\x80\x02}', 40, 'latin1'))
  const read = (body: string) => {
    const pickle = Buffer.from(`\x80\x02${body}.\x80\x02].`, 'latin1')
    return openTorchFile(fromMemory(Buffer.concat([head, pickle]))).value
  }
  const laughs = `]q\0${Array.from({ length: 40 }, () => ']q\x01h\0ah\0ah\x01q\0').join('0')}`

  it.each([
    ['a call of a function', 'cos\nsystem\nX\x01\0\0\0x\x85R', 'a call of os.system'],
    ['a call by names on the stack', 'X\x02\0\0\0osX\x06\0\0\0system\x93)R', 'a call of os.system'],
    ['eval', 'c__builtin__\neval\n)R', 'a call of __builtin__.eval'],
    [
      'getattr on a module',
      'cbuiltins\ngetattr\ncos\nsystem\nX\x01\0\0\0x\x86R',
      'a call of builtins.getattr of os.system, "x"',
    ],
    ['a call of an attribute of an object', 'cbuiltins\ngetattr\ncos\nX\n)\x81X\x01\0\0\0f\x86R)R', 'a call of os.X.f'],
    ['a call of an object', 'cos\nX\n)\x81)R', 'a call of os.X'],
    ['a call of a text', 'X\x01\0\0\0f)R', 'a call of "f"'],
    ['an object of an object', 'cos\nX\n)\x81)\x81', 'a call of os.X'],
    ['the state of a class', 'cos\nX\n}b', 'an object whose state can be set'],
    [
      'a class inside a known one',
      'ccollections\nOrderedDict.__class__\n)R',
      'a call of collections.OrderedDict.__class__',
    ],
    ['an object from another registry', '\x82\x01', 'an instruction'],
    ['an object by the old instructions', '(cos\nsystem\no', 'an instruction'],
    ['protocol 0', 'I1\n', 'an instruction'],
    [
      'a tensor of no storage',
      'ctorch._utils\n_rebuild_tensor_v2\n(KKKt R'.replaceAll('K', 'K\x01').replace(' ', ''),
      'a storage',
    ],
    [
      'a call that calls itself',
      'ctorch._tensor\n_rebuild_from_type_v2\nq\0]q\x01(h\0Nh\x01e0h\0Nh\x01\x87R',
      'a call that builds a tensor',
    ],
    ['too few arguments', 'ctorch._utils\n_rebuild_tensor_v2\n)R', 'a storage'],
    ['an empty stack', '0', 'a value to drop'],
    ['nothing at the end', '', 'a value on the stack'],
    ['values beneath a mark', 'N(a', 'a value on the stack'],
    ['no mark', 't', 'a mark on the stack'],
    ['an unknown memory', 'h\x05', 'a value remembered as 5'],
    ['a text beyond the file', 'X\xff\xff\xff\x7f', 'at most 67108864 bytes'],
    ['a text just beyond the file', 'X\xff\xff\0\0', 'bytes at offset'],
    ['a text of 2^60 bytes', '\x8d\0\0\0\0\0\0\0\x10', 'at most'],
    ['a number of 2^31 bytes', '\x8b\xff\xff\xff\x7f', 'a number of at most'],
    ['a name without an end', `c${'a'.repeat(5000)}`, 'a name of at most'],
    ['pairs that are none', '}(Nu', 'a dictionary and pairs'],
    ['items of a number', 'K\x01Na', 'a list'],
    ['deep nesting', ']'.repeat(2000) + 'a'.repeat(1999), 'levels'],
    ['lists in lists in lists', laughs, 'at most 2000000 values'],
    ['copies of copies', `](${'K\x01'.repeat(4000)}eq\0${'cbuiltins\nlist\nh\0\x85R0'.repeat(4000)}`, 'steps'],
    ['an identity that is none', 'NQ', 'a storage with type'],
  ])('%s', (_, body, message) => {
    const error = messageOf(() => read(body))
    expect(error).toMatch(/^MindEyeError: memory/)
    expect(error).toContain(message)
  })

  it('a list that holds itself is read', () => {
    const value = read(']q\0h\0a') as TorchValue[]
    expect(value.length).toBe(1)
  })

  it('objects of any class, their state and items are kept but never made', () => {
    const value = read('cposix\nsystem\nX\x02\0\0\0ls\x85\x81}X\x01\0\0\0aK\x01sbX\x01\0\0\0bK\x02s') as Inert
    expect([value.className, value.is, value.args]).toEqual(['posix.system', 'instance', ['ls']])
    expect([value.state, value.items]).toEqual([new Map([['a', 1]]), new Map([['b', 2]])])
  })
})

describe('files that are no checkpoint', () => {
  it.each([
    ['nothing', Buffer.alloc(0), 'an empty file'],
    ['a text', Buffer.from('hello world'), 'It is no PyTorch checkpoint'],
    ['an .npz', Buffer.from(fixtureBytes('npz_stored.npz')), 'a member NAME/data.pkl'],
    ['a plain pickle', Buffer.from('\x80\x04N.', 'latin1'), 'not one that torch.save wrote'],
    ['a pickle cut short', Buffer.from('\x80\x02', 'latin1'), 'pickle: expected'],
    ['a legacy file cut short', Buffer.from(fixtureBytes('torch_parts.pth').subarray(0, -1)), 'storage root'],
    ['an archive cut short', Buffer.from(fixtureBytes('torch_types.pth').subarray(0, -9)), 'end of archive'],
  ])('%s', (_, bytes, message) => expect(messageOf(() => openTorchFile(fromMemory(bytes)))).toContain(message))
})
