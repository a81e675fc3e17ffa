/** What the preload script adds to the page under Electron as `window.mindeye`; absent in a browser. */
export interface MindEyeBridge {
  /** Handles of dropped or chosen files, in their order; an entry that is no file on disk (a dragged image of a page) is left out. */
  pathHandles(files: File[]): Promise<string[]>
  /** The system's dialog for files, or for files and folders of any kind; none when the user cancels. */
  openFiles(options?: OpenFilesOptions): Promise<string[]>
  openFolder(options?: { title?: string }): Promise<string | undefined>
  /** Where to write a file; undefined when the user cancels. */
  saveFile(options?: SaveFileOptions): Promise<string | undefined>
}

export interface FileFilter {
  name: string
  /** Without dot, e.g. `mat`. */
  extensions: string[]
}

export interface OpenFilesOptions {
  title?: string
  /** Several at once (default true). */
  multiple?: boolean
  filters?: FileFilter[]
}

export interface SaveFileOptions {
  title?: string
  /** Suggested name, without folder. */
  name?: string
  filters?: FileFilter[]
}

/** Channels between preload script and main process. */
export const channels = {
  paths: 'mindeye:paths',
  openFiles: 'mindeye:open-files',
  openFolder: 'mindeye:open-folder',
  saveFile: 'mindeye:save-file',
} as const
