import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { readWindowState, windowBounds, writeWindowState } from '../../src-main/hosts/windowState.ts'

const dir = mkdtempSync(join(tmpdir(), 'window-test-'))
afterAll(() => rmSync(dir, { recursive: true }))

const display = { x: 0, y: 0, width: 1920, height: 1080 }
const saved = { x: 100, y: 50, width: 1500, height: 900, maximized: false }

it('puts the window where it was', () => {
  expect(windowBounds(saved, [display])).toEqual({ x: 100, y: 50, width: 1500, height: 900 })
  const onTheLeft = { ...saved, x: -1800 }
  expect(windowBounds(onTheLeft, [display, { ...display, x: -1920 }])).toMatchObject({ x: -1800, y: 50 })
})

it('keeps the size but not the place when the display is gone', () => {
  expect(windowBounds({ ...saved, x: -1800 }, [display])).toEqual({ width: 1500, height: 900 })
  expect(windowBounds({ ...saved, y: 1050 }, [display])).toEqual({ width: 1500, height: 900 })
  expect(windowBounds({ ...saved, y: -40 }, [display])).toEqual({ width: 1500, height: 900 }) // title bar out of reach
})

it('is never smaller than the page can be', () => {
  expect(windowBounds({ ...saved, width: 10, height: 10 }, [display])).toMatchObject({ width: 1200, height: 720 })
  expect(windowBounds(undefined, [display])).toEqual({ width: 1440, height: 900 })
})

it('reads back what it wrote, and nothing from a damaged file', () => {
  const file = join(dir, 'window.json')
  writeWindowState(file, { ...saved, maximized: true })
  expect(readWindowState(file)).toEqual({ ...saved, maximized: true })
  for (const content of ['', '{', '{"x":1}', JSON.stringify({ ...saved, x: 'left' })]) {
    writeFileSync(file, content)
    expect(readWindowState(file)).toBeUndefined()
  }
  expect(readWindowState(join(dir, 'none.json'))).toBeUndefined()
})
