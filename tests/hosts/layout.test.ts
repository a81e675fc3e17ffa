import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { layout, layoutOf, type Entry } from '../../src-main/base/layout.ts'

const node = { execPath: '/usr/bin/node', versions: {}, platform: 'linux' }
const electron = { execPath: '/opt/MindEye/mindeye', versions: { electron: '45.0.0' }, platform: 'linux' }
const entries: Entry[] = ['cli', 'node', 'engine', 'reader', 'kernelCheck']

it('finds everything of this checkout', () => {
  expect(layout.kind).toBe('source')
  expect(layout.nodeBinary).toBe(process.execPath)
  for (const path of [...entries.map((name) => layout.entry(name)), layout.resource('world/icons.json')])
    expect(existsSync(path), path).toBe(true)
  expect(layout.renderer).toBe(join(layout.root, 'out', 'renderer'))
})

it.each(['index.mjs', 'backend-Ck0qLrgi.mjs'])('of a bundle, from %s', (file) => {
  const bundle = layoutOf(`file:///repo/out/main/${file}`, node)
  expect(bundle).toMatchObject({
    kind: 'bundle',
    root: '/repo',
    nodeBinary: '/usr/bin/node',
    renderer: '/repo/out/renderer',
  })
  expect(bundle.entry('engine')).toBe('/repo/out/main/engine.mjs')
  expect(bundle.resource('world/icons.json')).toBe('/repo/resources/world/icons.json')
})

it('runs child processes on Node and not on Electron', () => {
  expect(layoutOf('file:///repo/out/main/index.mjs', electron).nodeBinary).toBe('/repo/node_modules/node/bin/node')
  expect(layoutOf('file:///repo/out/main/index.mjs', { ...electron, platform: 'win32' }).nodeBinary).toMatch(
    /node\.exe$/,
  )
})

it.each([
  ['Electron, inside the archive', 'app.asar', electron, '/opt/MindEye/resources/node/node'],
  ['a child, beside it', 'app.asar.unpacked', node, '/usr/bin/node'],
])('of a package, seen by %s', (_, archive, runtime, binary) => {
  const packed = layoutOf(`file:///opt/MindEye/resources/${archive}/out/main/index.mjs`, runtime)
  const root = '/opt/MindEye/resources/app.asar.unpacked'
  expect(packed).toMatchObject({ kind: 'package', root, nodeBinary: binary, renderer: `${root}/out/renderer` })
  expect(packed.entry('reader')).toBe(`${root}/out/main/reader.mjs`)
  expect(packed.resource('icons/icon.png')).toBe(`${root}/resources/icons/icon.png`)
})
