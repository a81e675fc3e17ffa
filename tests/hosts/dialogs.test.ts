import { expect, it } from 'vitest'
import { PickedPaths } from '../../src-main/api/picked.ts'
import { channels } from '../../src-main/hosts/bridge.ts'
import { nativeHandlers, type OpenDialog, type SaveDialog, type Sender } from '../../src-main/hosts/dialogs.ts'

const ours: Sender = { senderFrame: { url: 'app://mindeye/#/data', parent: null } }

function setUp(filePaths: string[], canceled = false) {
  const picked = new PickedPaths()
  const asked: (OpenDialog | SaveDialog)[] = []
  const handlers = nativeHandlers(picked, {
    open: async (options) => (asked.push(options), { canceled, filePaths }),
    save: async (options) => (asked.push(options), { canceled, filePath: filePaths[0] ?? '' }),
  })
  return { picked, asked, handlers }
}

it.each([
  ['no frame at all', null],
  ['another site', { url: 'https://example.org/', parent: null }],
  ['a file', { url: 'file:///tmp/x.html', parent: null }],
  ['another host of our scheme', { url: 'app://other/', parent: null }],
  ['a frame inside our page', { url: 'app://mindeye/', parent: {} }],
])('refuses %s on every channel', async (_, senderFrame) => {
  const { handlers, asked } = setUp(['/data/a.mat'])
  expect(Object.keys(handlers).sort()).toEqual(Object.values(channels).sort())
  for (const [channel, handle] of Object.entries(handlers)) {
    const input = channel === channels.paths ? ['/data/a.mat'] : undefined
    await expect(handle({ senderFrame }, input), channel).rejects.toThrow('unknown sender')
  }
  expect(asked).toEqual([])
})

it('gives handles for dropped files, and refuses what are no paths', async () => {
  const { handlers, picked } = setUp([])
  const handles = (await handlers[channels.paths](ours, ['/data/a.mat', '/data/b'])) as string[]
  expect(handles.map((handle) => picked.resolve(handle))).toEqual(['/data/a.mat', '/data/b'])
  for (const input of [undefined, 'x', ['relative/path'], ['../up'], [3], Array(10_001).fill('/a')])
    await expect(handlers[channels.paths](ours, input)).rejects.toThrow('refused')
})

it('opens the system’s dialogs', async () => {
  const { handlers, picked, asked } = setUp(['/data/a.mat', '/data/b.mat'])
  const filters = [{ name: 'MATLAB', extensions: ['mat'] }]
  const handles = (await handlers[channels.openFiles](ours, { title: 'Import', filters })) as string[]
  expect(handles.map((handle) => picked.resolve(handle))).toEqual(['/data/a.mat', '/data/b.mat'])
  expect(picked.resolve((await handlers[channels.openFolder](ours, undefined)) as string)).toBe('/data/a.mat')
  await handlers[channels.openFiles](ours, { multiple: false })
  expect(asked).toEqual([
    { title: 'Import', properties: ['openFile', 'dontAddToRecent', 'multiSelections'], filters },
    { title: undefined, properties: ['openDirectory', 'createDirectory'] },
    { title: undefined, properties: ['openFile', 'dontAddToRecent'], filters: undefined },
  ])
  await expect(handlers[channels.openFiles](ours, { properties: ['showHiddenFiles'] })).rejects.toThrow('refused')
})

it('lets a page suggest the name of a file, not its folder', async () => {
  const { handlers, picked, asked } = setUp(['/home/me/figure.pdf'])
  const handle = (await handlers[channels.saveFile](ours, { name: '../../etc/cron.d/figure.pdf' })) as string
  expect(picked.resolve(handle)).toBe('/home/me/figure.pdf')
  await handlers[channels.saveFile](ours, { name: 'C:\\Windows\\figure.pdf' })
  expect(asked.map((options) => (options as SaveDialog).defaultPath)).toEqual(['figure.pdf', 'figure.pdf'])
})

it('gives nothing when the user cancels', async () => {
  const { handlers } = setUp(['/data/a.mat'], true)
  expect(await handlers[channels.openFiles](ours, undefined)).toEqual([])
  expect(await handlers[channels.openFolder](ours, undefined)).toBeUndefined()
  expect(await handlers[channels.saveFile](ours, undefined)).toBeUndefined()
})
