/** The native bits that a page cannot do: the path of a dropped file, and dialogs. The page gets handles, never paths. */
import { contextBridge, ipcRenderer, webUtils } from 'electron'
import { channels, type MindEyeBridge } from './bridge.ts'

const bridge: MindEyeBridge = {
  pathHandles: (files) =>
    ipcRenderer.invoke(
      channels.paths,
      files.map((file) => webUtils.getPathForFile(file)).filter((path) => path !== ''),
    ) as Promise<string[]>,
  openFiles: (options) => ipcRenderer.invoke(channels.openFiles, options) as Promise<string[]>,
  openFolder: (options) => ipcRenderer.invoke(channels.openFolder, options) as Promise<string | undefined>,
  saveFile: (options) => ipcRenderer.invoke(channels.saveFile, options) as Promise<string | undefined>,
}

contextBridge.exposeInMainWorld('mindeye', bridge)
