import { shallowRef } from 'vue'
import { getJson } from '../shared/api.ts'
import { filesOfInput } from './droppedFiles.ts'
import { useImports } from './importsStore.ts'

/** How files can be opened here: by the system's dialogs (Electron), or by the app's own browser of its machine. */
export const hostFacts = shallowRef<{ native: boolean; browse: boolean }>()

export async function loadHostFacts(): Promise<void> {
  hostFacts.value = await getJson<{ native: boolean; browse: boolean }>('host')
}

/** `Open files…`: the best way that there is here. */
export async function openFiles(): Promise<void> {
  const imports = useImports()
  if (window.mindeye)
    await imports.addHandles(await window.mindeye.openFiles({ title: 'Open files of a dataset' }), 'Opened files')
  else if (hostFacts.value?.browse) imports.isOpen = imports.isBrowsing = true
  else chooseFiles(false)
}

/** `Open folder…` */
export async function openFolder(): Promise<void> {
  const imports = useImports()
  if (window.mindeye) {
    const handle = await window.mindeye.openFolder({ title: 'Open the folder of a dataset' })
    if (handle) await imports.addHandles([handle], 'Opened folder')
  } else if (hostFacts.value?.browse) imports.isOpen = imports.isBrowsing = true
  else chooseFiles(true)
}

/** The browser's own dialog; what is chosen is uploaded. */
export function chooseFiles(folder: boolean): void {
  const input = document.createElement('input')
  input.type = 'file'
  input.multiple = true
  input.webkitdirectory = folder
  input.addEventListener('change', () => {
    const files = input.files ? filesOfInput(input.files) : []
    if (files.length) void useImports().addFiles(files, titleOf(files.map(({ path }) => path)))
  })
  input.click()
}

/** `study.mat`, or `subj01 and 2 more`. */
export function titleOf(paths: readonly string[]): string {
  const tops = [...new Set(paths.map((path) => path.split('/')[0]))]
  return tops.length > 1 ? `${tops[0]} and ${tops.length - 1} more` : (tops[0] ?? 'Nothing')
}
