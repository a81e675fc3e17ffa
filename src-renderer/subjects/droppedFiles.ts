/** A file to upload, with its place in the dropped tree: `study.mat`, or `subj01/train/a.tar`. */
export interface DroppedFile {
  path: string
  file: File
}

/** Files of macOS and Windows that nobody means, and hidden ones, which our readers leave out. */
const isMeant = (name: string): boolean => !name.startsWith('.') && !/^(thumbs\.db|desktop\.ini)$/i.test(name)

/** What was dropped, taken from the event before it is over: `File`s at the top, and the entries to walk through. */
export function takeItems(transfer: DataTransfer): { files: File[]; entries: (FileSystemEntry | File)[] } {
  const items = [...transfer.items].filter(({ kind }) => kind === 'file')
  const files = items.map((item) => item.getAsFile()).filter((file) => file !== null)
  const entries = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile()).filter((entry) => entry !== null)
  return { files, entries }
}

/** All files below the entries, folders walked through. */
export async function filesBelow(entries: readonly (FileSystemEntry | File)[]): Promise<DroppedFile[]> {
  const found: DroppedFile[] = []
  for (const entry of entries) await walk(entry, '', found)
  return found
}

/** Files of an <input>, whose folders come as one flat list. */
export const filesOfInput = (list: FileList): DroppedFile[] =>
  [...list]
    .map((file) => ({ file, path: file.webkitRelativePath || file.name }))
    .filter(({ path }) => path.split('/').every(isMeant))

async function walk(entry: FileSystemEntry | File, above: string, found: DroppedFile[]): Promise<void> {
  if (!isMeant(entry.name)) return
  const path = above + entry.name
  if (entry instanceof File) found.push({ path, file: entry })
  else if (isFile(entry))
    found.push({ path, file: await new Promise<File>((resolve, reject) => entry.file(resolve, reject)) })
  else if (isFolder(entry)) {
    const reader = entry.createReader()
    // It gives a hundred at a time, and none at the end.
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
      if (!some.length) return
      for (const inner of some) await walk(inner, `${path}/`, found)
    }
  }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile
const isFolder = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory
