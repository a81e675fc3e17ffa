/** The native calls of the page, checked: who asks, and with what. Electron's parts come in as arguments. */
import { basename, isAbsolute } from 'node:path'
import * as v from 'valibot'
import type { PickedPaths } from '../api/picked.ts'
import type { FileFilter } from './bridge.ts'
import { channels } from './bridge.ts'
import { isOurPage } from './security.ts'

/** The frame that sent a message: of Electron's `IpcMainInvokeEvent` what we look at. */
export interface Sender {
  senderFrame: { url: string; parent: unknown } | null
}

export interface OpenDialog {
  title?: string
  properties: ('openFile' | 'openDirectory' | 'multiSelections' | 'createDirectory' | 'dontAddToRecent')[]
  filters?: FileFilter[]
}

export interface SaveDialog {
  title?: string
  defaultPath?: string
  filters?: FileFilter[]
}

/** Electron's dialogs on the app's window. */
export interface Dialogs {
  open(options: OpenDialog): Promise<{ canceled: boolean; filePaths: string[] }>
  save(options: SaveDialog): Promise<{ canceled: boolean; filePath: string }>
}

const text = v.pipe(v.string(), v.maxLength(200))
const filters = v.optional(
  v.pipe(
    v.array(
      v.strictObject({
        name: text,
        extensions: v.pipe(v.array(v.pipe(v.string(), v.regex(/^(\*|[\w.]{1,16})$/))), v.maxLength(20)),
      }),
    ),
    v.maxLength(20),
  ),
)
const inputs = {
  paths: v.pipe(v.array(v.pipe(v.string(), v.maxLength(32_768), v.check(isAbsolute))), v.maxLength(10_000)),
  openFiles: v.optional(
    v.strictObject({ title: v.optional(text), multiple: v.optional(v.boolean(), true), filters }),
    {},
  ),
  openFolder: v.optional(v.strictObject({ title: v.optional(text) }), {}),
  saveFile: v.optional(v.strictObject({ title: v.optional(text), name: v.optional(text), filters }), {}),
}

export type Handler = (event: Sender, input: unknown) => Promise<unknown>

/** A handler per channel. Each throws for a sender that is not the top frame of our page, and for a malformed input. */
export function nativeHandlers(picked: Pick<PickedPaths, 'add'>, dialogs: Dialogs): Record<string, Handler> {
  const add = (path: string) => picked.add(path)
  return {
    [channels.paths]: handler(inputs.paths, async (paths) => paths.map(add)),
    [channels.openFiles]: handler(inputs.openFiles, async ({ title, multiple, filters }) => {
      const properties: OpenDialog['properties'] = ['openFile', 'dontAddToRecent']
      if (multiple) properties.push('multiSelections')
      const { canceled, filePaths } = await dialogs.open({ title, properties, filters })
      return canceled ? [] : filePaths.map(add)
    }),
    [channels.openFolder]: handler(inputs.openFolder, async ({ title }) => {
      const { canceled, filePaths } = await dialogs.open({ title, properties: ['openDirectory', 'createDirectory'] })
      return canceled || !filePaths.length ? undefined : add(filePaths[0])
    }),
    [channels.saveFile]: handler(inputs.saveFile, async ({ title, name, filters }) => {
      // A page suggests a name, never a folder.
      const defaultPath = name === undefined ? undefined : basename(name.replaceAll('\\', '/'))
      const { canceled, filePath } = await dialogs.save({ title, defaultPath, filters })
      return canceled || !filePath ? undefined : add(filePath)
    }),
  }
}

function handler<S extends v.GenericSchema>(schema: S, run: (input: v.InferOutput<S>) => Promise<unknown>): Handler {
  return async ({ senderFrame }, input) => {
    if (!senderFrame || senderFrame.parent || !isOurPage(senderFrame.url)) throw new Error('refused: an unknown sender')
    const parsed = v.safeParse(schema, input)
    if (!parsed.success) throw new Error(`refused: ${parsed.issues[0].message}`)
    return run(parsed.output)
  }
}
