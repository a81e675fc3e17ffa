import type { Context } from 'hono'

/**
 * Answers with bytes that are the same whenever their tag is: a browser that has them is told so instead. With the version in its address
 * (`?v=`) it need not even ask.
 */
export async function tagged(
  c: Context,
  type: string,
  tag: string,
  make: () => Promise<Uint8Array<ArrayBuffer> | string>,
): Promise<Response> {
  const headers = {
    ETag: `"${tag}"`,
    'Cache-Control': c.req.query('v') ? 'private, max-age=31536000, immutable' : 'private, no-cache',
  }
  if (c.req.header('If-None-Match') === headers.ETag) return new Response(null, { status: 304, headers })
  return new Response(await make(), { headers: { ...headers, 'Content-Type': type } })
}

/** What was made lately, up to so many bytes; asked for twice at once, it is made once. */
export class MadeLately {
  private readonly most: number
  private readonly kept = new Map<string, { bytes: Promise<Uint8Array<ArrayBuffer>>; size: number }>()
  private total = 0

  constructor(most: number) {
    this.most = most
  }

  get(key: string, make: () => Promise<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>> {
    const found = this.kept.get(key)
    if (found) {
      this.kept.delete(key)
      this.kept.set(key, found)
      return found.bytes
    }
    const entry = { bytes: make(), size: 0 }
    this.kept.set(key, entry)
    entry.bytes.then(
      ({ length }) => {
        if (this.kept.get(key) !== entry) return
        entry.size = length
        this.total += length
        for (const [oldest, { size }] of this.kept) {
          if (this.total <= this.most) break
          this.kept.delete(oldest)
          this.total -= size
        }
      },
      () => this.kept.delete(key),
    )
    return entry.bytes
  }
}
