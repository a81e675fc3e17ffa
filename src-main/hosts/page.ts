import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import type { App } from '../app.ts'
import { securityHeaders } from './security.ts'

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.woff': 'font/woff',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
}

/** Answers a request for the app's `fetch` or for a file of the built page, with the security headers on either. */
export function answerer(app: Pick<App, 'fetch'>, folder: string): (request: Request) => Promise<Response> {
  const page = pageFiles(folder)
  return async (request) => {
    const { pathname } = new URL(request.url)
    const answer = pathname.startsWith('/api/') ? await app.fetch(request) : await page(request.method, pathname)
    return secured(answer)
  }
}

/** A plain-text answer for humans, e.g. a refusal. */
export function plainText(status: number, text: string): Response {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' }
  return secured(new Response(`${text}\n`, { status, headers }))
}

function secured(response: Response): Response {
  for (const [name, value] of Object.entries(securityHeaders)) response.headers.set(name, value)
  return response
}

/**
 * Serves the files that the folder holds and nothing else: a request is looked up in the list of them, never joined to a path.
 * The list is made anew whenever the page itself is asked for, since a build gives its files other names.
 */
function pageFiles(folder: string): (method: string, pathname: string) => Promise<Response> {
  let files = listFiles(folder)
  return async (method, pathname) => {
    if (method !== 'GET' && method !== 'HEAD') return plainText(405, 'Pages can only be read.')
    const isStart = pathname === '/' || pathname === '/index.html'
    if (isStart) files = listFiles(folder)
    const file = files.get(isStart ? '/index.html' : pathname)
    if (!file)
      return isStart
        ? plainText(503, 'The page has not been built. Run `npm run build:renderer`, then reload.')
        : plainText(404, 'There is no such page.')
    const headers = {
      'Content-Type': types[extname(file)] ?? 'application/octet-stream',
      // The build puts a hash into the names of all files but the first.
      'Cache-Control': isStart ? 'no-cache' : 'private, max-age=31536000, immutable',
    }
    return new Response(method === 'HEAD' ? null : await readFile(file), { headers })
  }
}

/** The files below the folder by their path in a URL. */
function listFiles(folder: string): Map<string, string> {
  const files = new Map<string, string>()
  try {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const file = join(entry.parentPath, entry.name)
      const path = relative(folder, file).split(sep).map(encodeURIComponent).join('/')
      files.set(`/${path}`, file)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return files
}
