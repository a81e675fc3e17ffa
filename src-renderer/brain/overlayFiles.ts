/** Files with a map of their own: NIfTI volumes, GIFTI and MGH functions over the surface. */
import { filesBelow, takeItems, type DroppedFile } from '../subjects/droppedFiles.ts'
import { groupOf, uploadFiles } from '../subjects/upload.ts'
import type { SubjectBrain } from './data.ts'
import type { Side } from './scene/types.ts'

/** Endings of files that the brain panel takes; everything else belongs to the window, which imports datasets. */
export const isOverlayName = (name: string): boolean =>
  /\.(nii|nii\.gz|gii|gii\.gz|mgh|mgz|curv|thickness|sulc)$/i.test(name)

const KINDS = '.nii,.gz,.gii,.mgh,.mgz,.curv,.thickness,.sulc'

/** From 'lh.thickness' or 'tfMRI_hemi-R.func.gii'; undefined where the name does not tell. */
export function sideOfName(name: string): Side | undefined {
  if (/(^|[._-])(lh|hemi-l|left|l)[._-]/i.test(name)) return 'left'
  if (/(^|[._-])(rh|hemi-r|right|r)[._-]/i.test(name)) return 'right'
  return undefined
}

/** Handles of what was dropped, if all of it is overlays; taken from the event before it is over. */
export function takeOverlays(transfer: DataTransfer): (() => Promise<NamedHandle[]>) | undefined {
  const { files, entries } = takeItems(transfer)
  if (files.length === 0 || !entries.every(({ name }) => isOverlayName(name))) return undefined
  return async () => handlesOf(files, await filesBelow(entries))
}

export interface NamedHandle {
  name: string
  handle: string
}

/** Asks for files by the system's dialog or the browser's. */
export async function chooseOverlays(): Promise<NamedHandle[]> {
  if (window.mindeye) {
    const handles = await window.mindeye.openFiles({ title: 'Open a map', multiple: true })
    return handles.map((handle) => ({ name: '', handle }))
  }
  const files = await new Promise<File[]>((resolve) => {
    const input = document.createElement('input')
    input.type = 'file'
    input.multiple = true
    input.accept = KINDS
    input.addEventListener('change', () => resolve([...(input.files ?? [])]))
    input.addEventListener('cancel', () => resolve([]))
    input.click()
  })
  return files.length
    ? handlesOf(
        files,
        files.map((file) => ({ path: file.name, file })),
      )
    : []
}

async function handlesOf(files: File[], dropped: DroppedFile[]): Promise<NamedHandle[]> {
  if (window.mindeye) {
    const handles = await window.mindeye.pathHandles(files)
    return handles.map((handle, i) => ({ name: files[i].name, handle }))
  }
  const picked = await uploadFiles(await groupOf(dropped), dropped, new AbortController().signal, () => {})
  return picked.map(({ name, handle }) => ({ name, handle }))
}

/** Shows files on a subject's brain, one after the other, so that both hemispheres of a map join. */
export async function addOverlays(brain: SubjectBrain, handles: readonly NamedHandle[]) {
  const added = []
  for (const { name, handle } of handles) added.push(await brain.addOverlay(handle, sideOfName(name)))
  return added
}
