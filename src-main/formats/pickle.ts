/**
 * Python pickles of protocol 2 to 5, read without importing or running anything. Numbers, texts and containers become ours; a class or
 * function that is only named becomes an inert stand-in, and so does an object of it. A call is made only when `constructors` knows the
 * name, and those are functions of ours: every other call is refused by name.
 */
import { formatError } from '../base/errors.ts'
import { canonicalName, describeValue, Inert, plainConstructors, refusedCall } from './inert.ts'
import type { Constructor } from './inert.ts'
import type { ByteSource } from './source.ts'

/** Most bytes and steps of one pickle; a checkpoint takes about 100 steps for each tensor. */
const maxBytes = 64 * 2 ** 20
const maxSteps = 10_000_000
/** Steps that an object counts for. */
const objectSteps = 8
/** Longest whole number in bytes, and longest name of a module or class. */
const maxInteger = 256
const maxName = 1024
const windowLength = 64 * 2 ** 10

export interface PickleOptions {
  /** Calls that are allowed besides those of plain containers, by canonical name. */
  constructors?: ReadonlyMap<string, Constructor>
  /** Objects kept outside the pickle, by the identity that it states. */
  persistent?(identity: unknown): unknown
}

/** Reads the pickle at `offset`; `end` is the offset behind it. Throws a format error that names what is wrong or refused. */
export function readPickle(
  source: ByteSource,
  offset = 0,
  options: PickleOptions = {},
): { value: unknown; end: number } {
  const machine = new Machine(source, offset, options)
  return { value: machine.run(), end: machine.position }
}

class Machine {
  position: number
  private readonly source: ByteSource
  private readonly start: number
  private readonly options: PickleOptions
  private window: Uint8Array = new Uint8Array()
  private windowStart = 0
  private readonly stack: unknown[] = []
  /** Heights of the stack at its open marks. */
  private readonly marks: number[] = []
  private readonly memo = new Map<number, unknown>()
  private steps = 0

  constructor(source: ByteSource, offset: number, options: PickleOptions) {
    this.source = source
    this.start = this.position = offset
    this.options = options
  }

  run(): unknown {
    for (;;) {
      this.spend(1)
      const code = this.byte()
      if (code === 0x2e /* STOP */) return this.pop()
      this.step(code)
    }
  }

  private spend(steps: number): void {
    this.steps += steps
    if (this.steps > maxSteps) throw this.fault(`at most ${maxSteps} steps`, 'more')
  }

  private step(code: number): void {
    const { stack, memo } = this
    switch (code) {
      case 0x80: {
        const protocol = this.byte()
        if (protocol < 2 || protocol > 5) throw this.fault('protocol 2 to 5', `${protocol}`)
        return
      }
      case 0x95: // FRAME: its length is of use to readers that fetch frames at once
        return void this.take(8)
      case 0x28:
        return void this.marks.push(stack.length)
      case 0x30: // POP
        if (stack.length > (this.marks.at(-1) ?? 0)) stack.pop()
        else if (this.marks.pop() === undefined) throw this.fault('a value to drop', 'none')
        return
      case 0x31: // POP_MARK
        return void this.popMark()
      case 0x32: // DUP
        return void stack.push(this.peek())
      // Constants
      case 0x4e:
        return void stack.push(null)
      case 0x88:
        return void stack.push(true)
      case 0x89:
        return void stack.push(false)
      // Whole numbers
      case 0x4b:
        return void stack.push(this.byte())
      case 0x4d:
        return void stack.push(this.view(2).getUint16(0, true))
      case 0x4a:
        return void stack.push(this.view(4).getInt32(0, true))
      case 0x8a:
        return void stack.push(this.integer(this.byte()))
      case 0x8b:
        return void stack.push(this.integer(this.view(4).getInt32(0, true)))
      case 0x47:
        return void stack.push(this.view(8).getFloat64(0, false))
      // Texts and bytes; those of Python 2 are either
      case 0x8c:
      case 0x55:
        return void stack.push(this.text(this.byte()))
      case 0x58:
      case 0x54:
        return void stack.push(this.text(this.view(4).getUint32(0, true)))
      case 0x8d:
        return void stack.push(this.text(this.length8()))
      case 0x43:
        return void stack.push(this.bytes(this.byte()))
      case 0x42:
        return void stack.push(this.bytes(this.view(4).getUint32(0, true)))
      case 0x8e:
      case 0x96:
        return void stack.push(this.bytes(this.length8()))
      // Containers
      case 0x7d:
        return this.pushObject(new Map())
      case 0x5d:
      case 0x29:
        return this.pushObject([])
      case 0x8f:
        return this.pushObject(new Set())
      case 0x74:
      case 0x6c:
        return this.pushObject(this.popMark())
      case 0x91:
        return this.pushObject(new Set(this.popMark()))
      case 0x85:
      case 0x86:
      case 0x87:
        return this.tuple(code - 0x84)
      case 0x64: {
        const items = this.popMark()
        this.pushObject(new Map())
        return this.setItems(items)
      }
      case 0x73: {
        const value = this.pop()
        return this.setItems([this.pop(), value])
      }
      case 0x75:
        return this.setItems(this.popMark())
      case 0x61:
        return this.append([this.pop()])
      case 0x65:
      case 0x90:
        return this.append(this.popMark())
      // Memo
      case 0x71:
        return void memo.set(this.byte(), this.peek())
      case 0x72:
        return void memo.set(this.view(4).getUint32(0, true), this.peek())
      case 0x94:
        return void memo.set(memo.size, this.peek())
      case 0x68:
        return this.recall(this.byte())
      case 0x6a:
        return this.recall(this.view(4).getUint32(0, true))
      // Objects
      case 0x63:
        return this.pushObject(new Inert(`${this.line()}.${this.line()}`, 'reference'))
      case 0x93: {
        const [name, module] = [this.pop(), this.pop()]
        if (typeof name !== 'string' || typeof module !== 'string' || name.length + module.length > maxName)
          throw this.fault('the names of a module and a class', 'other values')
        return this.pushObject(new Inert(`${module}.${name}`, 'reference'))
      }
      case 0x52: // REDUCE
        return this.call()
      case 0x81: // NEWOBJ
        return this.newObject()
      case 0x62: // BUILD
        return this.build()
      case 0x51: {
        const identity = this.pop()
        if (!this.options.persistent) throw this.fault('nothing kept outside the pickle', describeValue(identity))
        return void stack.push(this.options.persistent(identity))
      }
      default:
        throw this.fault('an instruction of protocols 2 to 5', `0x${code.toString(16).padStart(2, '0')}`)
    }
  }

  /** Containers and objects take much more memory than the byte that asks for one. */
  private pushObject(value: unknown): void {
    this.spend(objectSteps)
    this.stack.push(value)
  }

  private tuple(count: number): void {
    const items = Array.from({ length: count }, () => this.pop())
    this.pushObject(items.reverse())
  }

  private setItems(items: unknown[]): void {
    const target = this.peek()
    const map = target instanceof Inert ? target.items : target
    if (!(map instanceof Map) || items.length % 2) throw this.fault('a dictionary and pairs', describeValue(target))
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1])
  }

  private append(items: unknown[]): void {
    const target = this.peek()
    const list: unknown = target instanceof Inert ? target.list : target
    if (Array.isArray(list)) for (const item of items) list.push(item)
    else if (list instanceof Set) for (const item of items) list.add(item)
    else throw this.fault('a list', describeValue(target))
  }

  private recall(index: number): void {
    if (!this.memo.has(index)) throw this.fault(`a value remembered as ${index}`, 'none')
    this.stack.push(this.memo.get(index))
  }

  /** The named thing and the arguments of a call, for calls (REDUCE) and for the making of objects (NEWOBJ). */
  private callee(): { name: string; args: unknown[]; make: Constructor | undefined; isReference: boolean } {
    const args = this.pop()
    const callee = this.pop()
    if (!Array.isArray(args)) throw this.fault('arguments', describeValue(args))
    if (!(callee instanceof Inert)) throw refusedCall(this.source.name, describeValue(callee), args)
    const known = canonicalName(callee.className)
    const make = callee.is === 'reference' ? this.constructorOf(known) : undefined
    return { name: callee.className, args, make, isReference: callee.is === 'reference' }
  }

  private constructorOf(name: string): Constructor | undefined {
    return this.options.constructors?.get(name) ?? plainConstructors.get(name)
  }

  private call(): void {
    const { name, args, make } = this.callee()
    if (!make) throw refusedCall(this.source.name, name, args)
    this.pushObject(this.make(name, args, make))
  }

  private make(name: string, args: unknown[], make: Constructor): unknown {
    // What is made may be a copy, and one step could ask for it again and again.
    for (const arg of args) this.spend(sizeOf(arg))
    return make(args, (expected) =>
      name.endsWith('getattr')
        ? refusedCall(this.source.name, name, args)
        : formatError(
            this.source.name,
            `pickle, ${name}`,
            expected,
            `(${args.slice(0, 8).map(describeValue).join(', ')})`,
          ),
    )
  }

  private newObject(): void {
    const { name, args, make, isReference } = this.callee()
    if (!isReference) throw refusedCall(this.source.name, name, args)
    this.pushObject(make ? this.make(name, args, make) : new Inert(name, 'instance', args))
  }

  private build(): void {
    const state = this.pop()
    const target = this.peek()
    if (target instanceof Inert && target.is === 'instance') target.state = state
    // Attributes of a plain container, such as the `_metadata` of a state dict, say nothing about its content.
    else if (!(target instanceof Map || target instanceof Set || Array.isArray(target)))
      throw this.fault('an object whose state can be set', describeValue(target))
  }

  private peek(): unknown {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw this.fault('a value on the stack', 'none')
    return this.stack[this.stack.length - 1]
  }

  private pop(): unknown {
    const value = this.peek()
    this.stack.pop()
    return value
  }

  private popMark(): unknown[] {
    const height = this.marks.pop()
    if (height === undefined) throw this.fault('a mark on the stack', 'none')
    return this.stack.splice(height)
  }

  private byte(): number {
    const at = this.position - this.windowStart
    if (at < this.window.length && at >= 0) {
      this.position++
      return this.window[at]
    }
    return this.take(1)[0]
  }

  /** The next bytes, which the caller must not keep. */
  private take(length: number): Uint8Array {
    if (this.position + length - this.start > maxBytes) throw this.fault(`at most ${maxBytes} bytes`, 'more')
    let at = this.position - this.windowStart
    if (at + length > this.window.length) {
      const wanted = Math.max(length, Math.min(windowLength, this.source.size - this.position))
      this.window = this.source.read(this.position, wanted, 'pickle')
      this.windowStart = this.position
      at = 0
    }
    this.position += length
    return this.window.subarray(at, at + length)
  }

  private view(length: number): DataView {
    const { buffer, byteOffset } = this.take(length)
    return new DataView(buffer, byteOffset, length)
  }

  private length8(): number {
    const length = this.view(8).getBigUint64(0, true)
    if (length > maxBytes) throw this.fault(`at most ${maxBytes} bytes`, `${length}`)
    return Number(length)
  }

  private text(length: number): string {
    return Buffer.from(this.take(length)).toString('utf8')
  }

  private bytes(length: number): Uint8Array {
    return new Uint8Array(this.take(length))
  }

  private line(): string {
    let text = ''
    for (let code = this.byte(); code !== 0x0a; code = this.byte()) {
      text += String.fromCharCode(code)
      if (text.length > maxName) throw this.fault(`a name of at most ${maxName} letters`, 'a longer one')
    }
    return text
  }

  /** A two's complement number of `length` little-endian bytes: a number where it is exact, else a bigint. */
  private integer(length: number): number | bigint {
    if (length < 0 || length > maxInteger)
      throw this.fault(`a number of at most ${maxInteger} bytes`, `${length} bytes`)
    if (!length) return 0
    const bytes = Buffer.from(this.take(length)).reverse()
    const value = BigInt.asIntN(8 * length, BigInt(`0x${bytes.toString('hex')}`))
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }

  private fault(expected: string, found: string): Error {
    return formatError(this.source.name, `pickle at byte ${this.position}`, expected, found)
  }
}

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length
  if (value instanceof Map || value instanceof Set) return value.size
  return typeof value === 'string' ? value.length / 16 : 0
}
