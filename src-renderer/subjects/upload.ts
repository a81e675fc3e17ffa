import type { PickedItem } from '../../src-main/api/routes/uploads.ts'
import type { Upload } from '../../src-main/workspace/uploads.ts'
import { getJson, request, RequestError, sendJson } from '../shared/api.ts'
import type { DroppedFile } from './droppedFiles.ts'
import { Meter, type UploadProgress } from './uploadMeter.ts'

export type { UploadProgress } from './uploadMeter.ts'

const CHUNK_BYTES = 8 * 2 ** 20
const AT_ONCE = 3
const TRIES = 5
const WAIT_MS = [300, 1000, 3000, 5000]

/** Of the same files it is the same, so that dropping them again goes on where a broken upload ended. */
export async function groupOf(files: readonly DroppedFile[]): Promise<string> {
  const lines = files.map(({ path, file }) => [path, file.size, file.lastModified].join('\0')).sort()
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(lines.join('\n')))
  return `drop-${[...new Uint8Array(hash).subarray(0, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

/** Streams files into the workspace and gives their handles at the top of the drop. Rejects with a `RequestError`, or when aborted. */
export async function uploadFiles(
  group: string,
  files: readonly DroppedFile[],
  signal: AbortSignal,
  onProgress: (progress: UploadProgress) => void,
): Promise<PickedItem[]> {
  const wanted = files.map(({ path, file }) => ({ path, size: file.size }))
  const { uploads } = await sendJson<{ uploads: Upload[] }>('POST', 'uploads', { group, files: wanted })
  const meter = new Meter(uploads.reduce((sum, { size }) => sum + size, 0))
  meter.add(
    uploads.reduce((sum, { received }) => sum + received, 0),
    false,
  )
  const advance = (bytes: number) => {
    meter.add(bytes)
    onProgress(meter.progress())
  }
  onProgress(meter.progress())
  const queue = uploads.map((upload, i) => ({ upload, file: files[i].file })).filter(({ upload }) => !upload.done)
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await send(next.upload, next.file, signal, advance)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return (await sendJson<{ picked: PickedItem[] }>('POST', `uploads/groups/${group}/pick`)).picked
}

async function send(upload: Upload, file: File, signal: AbortSignal, advance: (bytes: number) => void): Promise<void> {
  let at = upload.received
  for (let failures = 0; at < upload.size;) {
    signal.throwIfAborted()
    try {
      const body = file.slice(at, at + CHUNK_BYTES)
      const { received } = (await (
        await request(`uploads/${upload.id}?offset=${at}`, { method: 'PUT', body, signal })
      ).json()) as Upload
      advance(received - at)
      at = received
      failures = 0
    } catch (error) {
      // A refusal says what is wrong; a broken connection is asked how far it came.
      const isLost = !(error instanceof RequestError) || error.status === 409
      if (signal.aborted || !isLost || ++failures >= TRIES) throw error
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS[failures - 1]))
      const now = await getJson<Upload>(`uploads/${upload.id}`, signal).catch(() => undefined)
      if (now) {
        advance(now.received - at)
        at = now.received
      }
    }
  }
}
