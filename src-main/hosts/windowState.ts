import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { writeFileAtomic } from '../base/files.ts'

export interface Rectangle {
  x: number
  y: number
  width: number
  height: number
}

/** Where the window was. Screen coordinates, px. */
export interface WindowState extends Rectangle {
  maximized: boolean
}

export const smallestWindow = { width: 1200, height: 720 } as const
const usualWindow = { width: 1440, height: 900 } as const
/** So much of a window must be on some display, or nobody could drag it back. */
const GRIP = 100

const schema = v.object({
  x: v.pipe(v.number(), v.integer()),
  y: v.pipe(v.number(), v.integer()),
  width: v.pipe(v.number(), v.integer()),
  height: v.pipe(v.number(), v.integer()),
  maximized: v.boolean(),
})

/** What was saved, else nothing; a damaged file counts as none. */
export function readWindowState(file: string): WindowState | undefined {
  try {
    const parsed = v.safeParse(schema, JSON.parse(readFileSync(file, 'utf8')))
    return parsed.success ? parsed.output : undefined
  } catch {
    return undefined
  }
}

export function writeWindowState(file: string, state: WindowState): void {
  writeFileAtomic(file, JSON.stringify(state))
}

/** Bounds of the new window: where it was if that is still on a display, else of the usual size, placed by the system. */
export function windowBounds(
  saved: WindowState | undefined,
  displays: readonly Rectangle[],
): { width: number; height: number; x?: number; y?: number } {
  if (!saved) return usualWindow
  const width = Math.max(saved.width, smallestWindow.width)
  const height = Math.max(saved.height, smallestWindow.height)
  const isVisible = displays.some(
    (display) =>
      Math.min(saved.x + width, display.x + display.width) - Math.max(saved.x, display.x) >= GRIP &&
      saved.y >= display.y &&
      saved.y + GRIP <= display.y + display.height,
  )
  return isVisible ? { x: saved.x, y: saved.y, width, height } : { width, height }
}
