import * as tf from '@tensorflow/tfjs-core'
import { MindEyeError } from '../base/errors.ts'
import type { ArrayEntry } from '../formats/array.ts'
import { elementCount } from '../formats/array.ts'
import { toFloat32 } from '../formats/elements.ts'
import type { Random } from './random.ts'
import { numbersOf } from './numbers.ts'
import { hasTensorFlow, ResourceVariable } from './raw.ts'

/** Largest piece of a parameter that is one variable, in elements: bounds the gradient that exists at a time. */
export const PIECE_ELEMENTS = 1 << 26

/** Largest piece that crosses between JavaScript and TensorFlow at once, in elements (16 MB): what V8 has not collected yet counts, too. */
const TRANSFER_ELEMENTS = 1 << 22

/** What an optimizer keeps beside each value. */
export type Slot = 'value' | 'm' | 'v'
export const slots: readonly Slot[] = ['value', 'm', 'v']

/** The numbers of one Adam step beside the learning rate, as PyTorch defines them; t counts from 1. */
export interface AdamStep {
  beta1: number
  beta2: number
  eps: number
  t: number
}

/** Storage of one contiguous piece (rows of a parameter) with its two moments. */
interface Piece {
  /** A tensor of the stored value; the caller disposes it (or a tidy does). */
  read(slot: Slot): tf.Tensor
  assign(slot: Slot, value: tf.Tensor): void
  adam(step: AdamStep, lr: number, gradient: tf.Tensor): void
  dispose(): void
}

let scalarsOf: { step: AdamStep; tensors: tf.Scalar[] } | undefined

/** What all pieces of a step share, made once: β1ᵗ, β2ᵗ, β1, β2, ε as TensorFlow's fused op takes it. */
function adamScalars(step: AdamStep): tf.Scalar[] {
  if (scalarsOf?.step !== step) {
    tf.dispose(scalarsOf?.tensors ?? [])
    const { beta1, beta2, eps, t } = step
    const beta2Power = beta2 ** t
    // TensorFlow adds ε to √v before the bias correction, PyTorch after it; PyTorch's ε seen from there is ε√(1−β2ᵗ).
    const numbers = [beta1 ** t, beta2Power, beta1, beta2, eps * Math.sqrt(1 - beta2Power)]
    scalarsOf = { step, tensors: numbers.map((x) => tf.keep(tf.scalar(x))) }
  }
  return scalarsOf.tensors
}

/** Variables inside TensorFlow, updated in place by its fused Adam. */
class ResourcePiece implements Piece {
  private readonly variables: Partial<Record<Slot, ResourceVariable>> = {}
  private readonly shape: readonly number[]

  constructor(shape: readonly number[]) {
    this.shape = shape
  }

  private variable(slot: Slot): ResourceVariable {
    const existing = this.variables[slot]
    if (existing) return existing
    const created = (this.variables[slot] = new ResourceVariable(this.shape))
    // tf.zeros would fill an array in JavaScript and copy it.
    if (slot !== 'value') tf.tidy(() => created.assign(tf.fill([...this.shape], 0)))
    return created
  }

  read(slot: Slot): tf.Tensor {
    return this.variable(slot).read()
  }

  assign(slot: Slot, value: tf.Tensor): void {
    this.variable(slot).assign(value)
  }

  adam(step: AdamStep, lr: number, gradient: tf.Tensor): void {
    const [beta1Power, beta2Power, beta1, beta2, eps] = adamScalars(step)
    const rate = tf.scalar(lr)
    const scalars = [beta1Power, beta2Power, rate, beta1, beta2, eps]
    this.variable('value').applyAdam(this.variable('m'), this.variable('v'), scalars, gradient)
    rate.dispose()
  }

  dispose(): void {
    for (const variable of Object.values(this.variables)) variable.dispose()
  }
}

/** The same on any backend, with plain tensors. */
class TensorPiece implements Piece {
  private readonly tensors: Partial<Record<Slot, tf.Tensor>> = {}
  private readonly shape: readonly number[]

  constructor(shape: readonly number[]) {
    this.shape = shape
  }

  private tensor(slot: Slot): tf.Tensor {
    return (this.tensors[slot] ??= tf.keep(tf.zeros([...this.shape])))
  }

  read(slot: Slot): tf.Tensor {
    return tf.clone(this.tensor(slot))
  }

  assign(slot: Slot, value: tf.Tensor): void {
    this.tensors[slot]?.dispose()
    this.tensors[slot] = tf.keep(tf.clone(value))
  }

  adam({ beta1, beta2, eps, t }: AdamStep, lr: number, gradient: tf.Tensor): void {
    tf.tidy(() => {
      const m = tf.add(tf.mul(this.tensor('m'), beta1), tf.mul(gradient, 1 - beta1))
      const v = tf.add(tf.mul(this.tensor('v'), beta2), tf.mul(tf.square(gradient), 1 - beta2))
      const denominator = tf.add(tf.div(tf.sqrt(v), Math.sqrt(1 - beta2 ** t)), eps)
      const value = tf.sub(this.tensor('value'), tf.mul(tf.div(m, denominator), lr / (1 - beta1 ** t)))
      this.assign('m', m)
      this.assign('v', v)
      this.assign('value', value)
    })
  }

  dispose(): void {
    tf.dispose(Object.values(this.tensors))
  }
}

/** How a parameter starts: a constant, U(−bound, bound), N(0, σ²), or given numbers, which a file may then leave out. */
export type Initial = { constant: number } | { uniform: number } | { normal: number } | { numbers: Float32Array }

export interface ParameterOptions {
  /** Its layer multiplies by `scale`, so that decay costs nothing. */
  folded?: boolean
  /** False for what is saved with the model but never trained: buffers, running statistics. */
  trained?: boolean
  /**
   * Order of the published axes in which it is kept, e.g. [2, 3, 1, 0] for a convolution published (out, in, height, width) and kept
   * (height, width, in, out). Files and `shape` have the published order. Such a parameter is one piece.
   */
  layout?: readonly number[]
  /** Further names under which the same array stands in published files, where modules share it. */
  also?: readonly string[]
}

/** Reorders the axes of an array in C order: axis i of the result is axis `axes[i]` of the source, of the given shape. */
export function permuteAxes(data: Float32Array, shape: readonly number[], axes: readonly number[]): Float32Array {
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)))
  const sizes = axes.map((axis) => shape[axis])
  const steps = axes.map((axis) => strides[axis])
  const out = new Float32Array(data.length)
  const last = axes.length - 1
  const index = new Array<number>(axes.length).fill(0)
  for (let to = 0, from = 0; to < out.length;) {
    for (let i = 0, f = from; i < sizes[last]; i++, f += steps[last]) out[to++] = data[f]
    for (let axis = last - 1; axis >= 0; axis--) {
      from += steps[axis]
      if (++index[axis] < sizes[axis]) break
      from -= steps[axis] * sizes[axis]
      index[axis] = 0
    }
  }
  return out
}

/**
 * A trained array under its published name, kept outside the tape as pieces of whole rows.
 * The true value is `scale` times what is stored: decoupled weight decay then moves one number instead of a pass over
 * a big matrix; layers scale their input by it.
 */
export class Parameter {
  readonly name: string
  readonly shape: readonly number[]
  /** Rows [start, stop) of the first axis that each piece holds. */
  readonly rows: readonly { start: number; stop: number }[]
  scale = 1
  readonly trained: boolean
  readonly also: readonly string[]
  private readonly folded: boolean
  private readonly layout: readonly number[] | undefined
  private readonly pieces: Piece[]
  private readonly initial: Initial
  private readonly owner: Parameters

  constructor(name: string, shape: readonly number[], initial: Initial, options: ParameterOptions, owner: Parameters) {
    const { folded = false, trained = true, layout, also = [] } = options
    this.name = name
    this.also = also
    this.folded = folded
    this.trained = trained
    this.layout = layout
    this.shape = shape
    this.initial = initial
    this.owner = owner
    const [length, rowSize] = [shape[0] ?? 1, elementCount(shape.slice(1))]
    const perPiece = layout ? length : Math.max(1, Math.min(length, Math.floor(owner.pieceElements / rowSize)))
    this.rows = Array.from({ length: Math.ceil(length / perPiece) }, (_, i) => ({
      start: i * perPiece,
      stop: Math.min(length, (i + 1) * perPiece),
    }))
    const PieceClass = hasTensorFlow() ? ResourcePiece : TensorPiece
    this.pieces = this.rows.map(({ start, stop }) => {
      const published = shape.length ? [stop - start, ...shape.slice(1)] : []
      return new PieceClass(layout ? layout.map((axis) => published[axis]) : published)
    })
  }

  get size(): number {
    return elementCount(this.shape)
  }

  /** Whether a file may leave it out. */
  get isKnown(): boolean {
    return 'numbers' in this.initial
  }

  /** The stored value of one piece, without `scale`. */
  piece(index: number): tf.Tensor {
    return this.pieces[index].read('value')
  }

  /** The true value of a parameter that is one piece, its axes in the order in which it is kept. */
  value(): tf.Tensor {
    if (this.pieces.length !== 1) throw new Error(`${this.name} is kept in ${this.pieces.length} pieces`)
    return this.scale === 1 ? this.piece(0) : tf.tidy(() => tf.mul(this.piece(0), this.scale))
  }

  /** Hands the gradient of one piece (with respect to the true value, axes as kept) to the optimizer, which may use it at once. */
  accumulate(gradient: tf.Tensor, piece = 0): void {
    this.owner.sink(this, piece, gradient)
  }

  /** One Adam update of a piece, given the gradient of the true value. */
  adam(step: AdamStep, lr: number, piece: number, gradient: tf.Tensor): void {
    this.pieces[piece].adam(step, lr / this.scale, gradient)
  }

  /** Multiplies the value by a number: at no cost when the layer reads `scale`, else in place. */
  decay(factor: number): void {
    if (this.folded) this.scale *= factor
    else tf.tidy(() => this.pieces.forEach((piece) => piece.assign('value', tf.mul(piece.read('value'), factor))))
  }

  /** Numbers whose axes are in the order in which this parameter is kept, in the published order. */
  toPublished(kept: Float32Array): Float32Array {
    const { layout, shape } = this
    if (!layout) return kept
    const inverse = layout.map((_, axis) => layout.indexOf(axis))
    const keptShape = layout.map((axis) => shape[axis])
    return permuteAxes(kept, keptShape, inverse)
  }

  /** Copies rows of a slot out of TensorFlow, at most 16 MB at a time, in order. */
  *download(slot: Slot): Generator<Float32Array> {
    if (this.layout) {
      yield this.toPublished(numbersOf(() => this.pieces[0].read(slot)))
      return
    }
    const rowSize = elementCount(this.shape.slice(1))
    const step = Math.max(1, Math.floor(TRANSFER_ELEMENTS / rowSize))
    for (const [i, { start, stop }] of this.rows.entries())
      for (let row = 0; row < stop - start; row += step)
        yield numbersOf(() => {
          const all = this.pieces[i].read(slot)
          const count = Math.min(step, stop - start - row)
          return count === stop - start ? all : tf.slice(all, [row], [count])
        })
  }

  /** Fills a slot from a function that gives the numbers of `count` rows from `start`, at most 16 MB at a time. */
  upload(slot: Slot, rowsOf: (start: number, count: number) => Float32Array): void {
    const { layout } = this
    const rest = this.shape.slice(1)
    const step = Math.max(1, Math.floor(TRANSFER_ELEMENTS / elementCount(rest)))
    for (const [i, { start, stop }] of this.rows.entries())
      tf.tidy(() => {
        const parts: tf.Tensor[] = []
        for (let row = start; row < stop; row += step) {
          const count = Math.min(step, stop - row)
          const [numbers, shape] = [rowsOf(row, count), this.shape.length ? [count, ...rest] : []]
          const kept = layout ? permuteAxes(numbers, shape, layout) : numbers
          parts.push(tf.tensor(kept, layout ? layout.map((axis) => shape[axis]) : shape, 'float32'))
        }
        this.pieces[i].assign(slot, parts.length === 1 ? parts[0] : tf.concat(parts, layout?.indexOf(0) ?? 0))
      })
  }

  /** Draws the first value from the stream of this name, so that it depends on the seed and the name alone; given numbers need no stream. */
  initialise(random?: Random): void {
    const { initial } = this
    const rowSize = elementCount(this.shape.slice(1))
    const stream = random?.split('initial', this.name)
    this.upload('value', (start, count) => {
      if ('numbers' in initial) return initial.numbers.slice(start * rowSize, (start + count) * rowSize)
      const numbers = new Float32Array(count * rowSize)
      if ('constant' in initial) return numbers.fill(initial.constant)
      if (!stream) throw new Error(`${this.name} starts from random numbers`)
      for (let i = 0; i < numbers.length; i++)
        numbers[i] =
          'uniform' in initial ? initial.uniform * (2 * stream.uniform() - 1) : initial.normal * stream.normal()
      return numbers
    })
  }

  dispose(): void {
    this.pieces.forEach((piece) => piece.dispose())
  }
}

/** All parameters of a model by published name, in the order in which its layers made them. */
export class Parameters {
  private readonly byName = new Map<string, Parameter>()
  /** Receives every gradient; an optimizer or a test sets it before a backward pass. */
  sink: (parameter: Parameter, piece: number, gradient: tf.Tensor) => void = (parameter) => {
    throw new Error(`nobody takes the gradient of ${parameter.name}`)
  }
  readonly pieceElements: number

  constructor(pieceElements = PIECE_ELEMENTS) {
    this.pieceElements = pieceElements
  }

  /** Declares a parameter; its value comes from `initialise` or `load`. */
  add(name: string, shape: readonly number[], initial: Initial, options: ParameterOptions = {}): Parameter {
    if (this.byName.has(name)) throw new Error(`two parameters are named ${name}`)
    const parameter = new Parameter(name, shape, initial, options, this)
    this.byName.set(name, parameter)
    return parameter
  }

  initialise(random: Random): void {
    for (const parameter of this) parameter.initialise(random)
  }

  get(name: string): Parameter {
    const parameter = this.byName.get(name)
    if (!parameter) throw new Error(`no parameter is named ${name}`)
    return parameter
  }

  [Symbol.iterator](): IterableIterator<Parameter> {
    return this.byName.values()
  }

  /** Number of numbers, as PyTorch counts them: with what is not trained. */
  get count(): number {
    return [...this].reduce((sum, parameter) => sum + parameter.size, 0)
  }

  /** What keeps arrays from being the values of all parameters: every missing, misshaped and extra name with shapes. */
  faults(arrays: readonly ArrayEntry[]): string[] {
    const given = new Map(arrays.map((array) => [array.name, array]))
    const faults = [...this].flatMap(({ name, also, shape, isKnown }) => {
      if (!given.has(name) && !isKnown) return [`${name} [${shape}] is missing`]
      return [name, ...also].flatMap((key) => {
        const found = given.get(key)?.shape ?? shape
        return `${found}` === `${shape}` ? [] : [`${key} is [${found}] instead of [${shape}]`]
      })
    })
    const published = new Set([...this].flatMap(({ name, also }) => [name, ...also]))
    const extra = arrays.filter(({ name }) => !published.has(name))
    return [...faults, ...extra.map(({ name, shape }) => `${name} [${shape}] is extra`)]
  }

  /**
   * Fills all values from arrays of the same names and shapes, of any number type.
   * Throws a format error that lists every missing, extra and misshaped name, before anything is changed.
   */
  load(arrays: readonly ArrayEntry[], where: string): void {
    const faults = this.faults(arrays)
    if (faults.length)
      throw new MindEyeError({
        kind: 'format',
        where,
        expected: `the ${this.byName.size} parameters of the model`,
        found: `${faults.length} differences: ${faults.slice(0, 20).join('; ')}${faults.length > 20 ? '; …' : ''}`,
        fix: 'The file belongs to a model of another configuration.',
      })
    const given = new Map(arrays.map((array) => [array.name, array]))
    // The biggest first: what is left of reading them, small ones fill.
    for (const parameter of [...this].sort((a, b) => b.size - a.size)) {
      parameter.scale = 1
      const array = given.get(parameter.name)
      if (!array) parameter.initialise()
      else
        parameter.upload('value', (start, count) =>
          toFloat32(parameter.shape.length ? array.readRows(start, start + count) : array.read()),
        )
    }
  }

  dispose(): void {
    for (const parameter of this) parameter.dispose()
  }
}
