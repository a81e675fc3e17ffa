import { ref, shallowRef } from 'vue'
import type { PickedItem } from '../../src-main/api/routes/uploads.ts'
import { toProblem, type Problem } from '../shared/api.ts'
import { filesBelow, filesOfInput, takeItems, type DroppedFile } from '../subjects/droppedFiles.ts'
import { groupOf, uploadFiles, type UploadProgress } from '../subjects/upload.ts'
import { useRetrieval } from './store.ts'

/** Takes a folder of images that is dropped on an element or chosen in a dialog, and makes it a gallery. */
export function useGalleryIntake() {
  const retrieval = useRetrieval()
  const isOver = ref(false)
  const upload = shallowRef<UploadProgress>()
  const problem = shallowRef<Problem>()
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false

  async function addFiles(files: DroppedFile[]) {
    const isImage = ({ path }: DroppedFile) => /\.(png|jpe?g|webp|tiff?)$/i.test(path)
    const images = files.filter(isImage)
    if (!images.length) {
      problem.value = { message: '', where: 'the drop', expected: 'images, or a folder of them', found: 'none' }
      return
    }
    // Loose images get a folder of their own: a gallery is one.
    const tops = new Set(images.map(({ path }) => path.split('/')[0]))
    const isFolder = tops.size === 1 && images.every(({ path }) => path.includes('/'))
    const name = isFolder ? [...tops][0] : 'gallery'
    const wanted = isFolder ? images : images.map(({ path, file }) => ({ path: `${name}/${path}`, file }))
    upload.value = { done: 0, total: 0 }
    try {
      const group = await groupOf(wanted)
      const [folder] = await uploadFiles(group, wanted, new AbortController().signal, (now) => (upload.value = now))
      upload.value = undefined
      await retrieval.addGallery(folder.handle, name)
    } finally {
      upload.value = undefined
    }
  }

  async function guarded(work: () => Promise<void>) {
    problem.value = undefined
    try {
      await work()
    } catch (error) {
      problem.value = toProblem(error)
    }
  }

  /** The system's dialog, or the browser's, whose files are uploaded. */
  const choose = () =>
    guarded(async () => {
      if (window.mindeye) {
        const handle = await window.mindeye.openFolder({ title: 'A folder of images' })
        if (handle) await retrieval.addGallery(handle, 'gallery')
        return
      }
      const input = document.createElement('input')
      input.type = 'file'
      input.webkitdirectory = true
      input.addEventListener('change', () => void guarded(() => addFiles(input.files ? filesOfInput(input.files) : [])))
      input.click()
    })

  const drop = (event: DragEvent) => {
    isOver.value = false
    if (!hasFiles(event)) return
    event.preventDefault()
    const { files, entries } = takeItems(event.dataTransfer!)
    void guarded(async () => {
      if (!window.mindeye) return addFiles(await filesBelow(entries))
      const [handle] = await window.mindeye.pathHandles(files)
      if (handle) await retrieval.addGallery(handle, files[0]?.name ?? 'gallery')
    })
  }
  const over = (event: DragEvent) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    event.dataTransfer!.dropEffect = 'copy'
    isOver.value = true
  }
  const handlers = { dragenter: over, dragover: over, dragleave: () => (isOver.value = false), drop }
  return { handlers, isOver, upload, problem, choose }
}

export type { PickedItem }
