/** Options of PyTorch's OneCycleLR with cosine annealing and cycled momentum (here Adam's β1). */
export interface OneCycleOptions {
  maxLr: number
  totalSteps: number
  /** Share of the steps that warm up. */
  pctStart: number
  /** First lr = maxLr / divFactor; last lr = first lr / finalDivFactor. */
  divFactor?: number
  finalDivFactor?: number
  /** β1 falls from `maxMomentum` to `baseMomentum` while lr rises, and back. */
  baseMomentum?: number
  maxMomentum?: number
}

/** From `start` (pct 0) to `end` (pct 1) along half a cosine. */
const cosine = (start: number, end: number, pct: number) => end + ((start - end) / 2) * (1 + Math.cos(Math.PI * pct))

/** lr and β1 that optimizer step k = 0 … totalSteps − 1 uses (torch.optim.lr_scheduler.OneCycleLR). */
export function oneCycle(options: OneCycleOptions): (step: number) => { lr: number; beta1: number } {
  const { maxLr, totalSteps, pctStart, divFactor = 25, finalDivFactor = 1000 } = options
  const { baseMomentum = 0.85, maxMomentum = 0.95 } = options
  const first = maxLr / divFactor
  const last = first / finalDivFactor
  const top = pctStart * totalSteps - 1
  return (step) => {
    if (step < top) {
      const pct = step / top
      return { lr: cosine(first, maxLr, pct), beta1: cosine(maxMomentum, baseMomentum, pct) }
    }
    const pct = (step - top) / (totalSteps - 1 - top)
    return { lr: cosine(maxLr, last, pct), beta1: cosine(baseMomentum, maxMomentum, pct) }
  }
}

/** `count` values from `start` to `end` along half a cosine (MindEye's temperature of the soft loss). */
export const cosineAnneal = (start: number, end: number, count: number): number[] =>
  Array.from({ length: count }, (_, k) => cosine(start, end, count > 1 ? k / (count - 1) : 1))
