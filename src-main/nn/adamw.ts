import type * as tf from '@tensorflow/tfjs-core'
import type { AdamStep, Parameter, Parameters } from './parameters.ts'

export interface AdamWOptions {
  beta2: number
  eps: number
  weightDecay: number
  /** Which parameters decay, by published name. */
  decays: (name: string) => boolean
}

/**
 * PyTorch's AdamW with two groups (decayed and not). Every gradient is applied the moment a layer hands it over and is
 * then freed, so that no more than one piece's gradient exists at a time. Each piece must get exactly one per step.
 */
export class AdamW {
  private readonly parameters: Parameters
  private readonly options: AdamWOptions
  /** Steps done. */
  steps = 0
  private current: { lr: number; step: AdamStep } | undefined
  private readonly seen = new Set<string>()

  constructor(parameters: Parameters, options: AdamWOptions) {
    this.parameters = parameters
    this.options = options
  }

  /** From here on, until `end`, gradients are applied with these values. Decays first, as torch.optim.AdamW does. */
  begin(lr: number, beta1: number): void {
    const { beta2, eps } = this.options
    this.current = { lr, step: { beta1, beta2, eps, t: this.steps + 1 } }
    this.seen.clear()
    this.parameters.sink = (parameter, piece, gradient) => this.apply(parameter, piece, gradient)
  }

  private apply(parameter: Parameter, piece: number, gradient: tf.Tensor): void {
    const { lr, step } = this.current!
    const { weightDecay, decays } = this.options
    const key = `${parameter.name}/${piece}`
    if (this.seen.has(key)) throw new Error(`piece ${key} got a second gradient in one step`)
    this.seen.add(key)
    if (piece === 0 && weightDecay && decays(parameter.name)) parameter.decay(1 - lr * weightDecay)
    parameter.adam(step, lr, piece, gradient)
    gradient.dispose()
  }

  /** Closes the step; throws when a piece got no gradient or more than one, since that is a bug of a layer. */
  end(): void {
    const due = [...this.parameters].reduce((sum, { trained, rows }) => sum + (trained ? rows.length : 0), 0)
    if (this.seen.size !== due) throw new Error(`${this.seen.size} of ${due} pieces got a gradient`)
    this.steps++
    this.current = undefined
  }
}
