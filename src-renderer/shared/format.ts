/** U+2009, between a value and its unit. */
export const THIN = '\u2009'
const MINUS = '\u2212'

/** A number with a true minus sign and a fixed count of decimals; an en dash for none. */
export function decimal(value: number | undefined | null, digits = 3): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return '–'
  return value.toFixed(digits).replace('-', MINUS)
}

/** A number in few significant digits, e.g. `3.0e−4` or `1,234`. */
export function compact(value: number | undefined | null, digits = 3): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(digits - 1).replaceAll('-', MINUS)
  return value.toLocaleString('en', { maximumSignificantDigits: digits }).replace('-', MINUS)
}

/** `1,234`. */
export const count = (value: number): string => value.toLocaleString('en').replace('-', MINUS)

/** `0.732 [0.70, 0.76]`. */
export const estimate = (mean: number, [low, high]: readonly [number, number]): string =>
  `${decimal(mean)} [${decimal(low, 2)}, ${decimal(high, 2)}]`

/** A value with its unit, a thin space between. */
export const quantity = (value: number | string, unit: string): string =>
  unit ? `${typeof value === 'number' ? compact(value) : value}${THIN}${unit}` : `${value}`

/** `1.2 GB`. */
export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let at = 0
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000
    at++
  }
  return `${at && value < 100 ? value.toFixed(1) : value.toFixed(0)}${THIN}${units[at]}`
}

/** `1 h 05 min`, `3 min 20 s`, `12 s`. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return 'unknown'
  const whole = Math.round(seconds)
  const two = (n: number) => String(n).padStart(2, '0')
  if (whole >= 3600) return `${Math.floor(whole / 3600)}${THIN}h ${two(Math.floor((whole % 3600) / 60))}${THIN}min`
  if (whole >= 60) return `${Math.floor(whole / 60)}${THIN}min ${two(whole % 60)}${THIN}s`
  return `${whole < 10 && seconds % 1 ? seconds.toFixed(1) : whole}${THIN}s`
}

/** `24 Nov, 18:36`. */
export const moment = (iso: string): string =>
  new Date(iso).toLocaleString('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })

/** `1 trial`, `3 trials`. */
export const counted = (n: number, word: string): string => `${count(n)} ${word}${n === 1 ? '' : 's'}`

/** A run in few words: its preset and the tail of its id. */
export const runName = ({ id, preset }: { id: string; preset: string }): string =>
  `${preset} ${id.slice(id.lastIndexOf('-') + 1)}`
