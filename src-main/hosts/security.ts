/**
 * What both hosts must not get wrong, as plain data and functions: the page's policy, who may ask, which links leave the app.
 * Nothing here imports Electron, so that tests look at every value.
 */
import { createHash, timingSafeEqual } from 'node:crypto'

/** The scheme and the host of the page under Electron: app://mindeye/. */
export const appScheme = 'app'
export const appOrigin = 'app://mindeye'

/** Styles are inline because three.js, dockview and Reka UI set them on elements. */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Headers of every response, the page's and the app's. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': policy,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), usb=(), serial=(), hid=(), midi=(), payment=()',
}

/** Privileges of the app:// scheme: a secure origin with fetch and streams, no way around the policy above. */
export const schemePrivileges = { standard: true, secure: true, supportFetchAPI: true, stream: true } as const

/** `webPreferences` of the one window. Each is Electron's default today and stated, so that no default may change it. */
export const webPreferences = {
  contextIsolation: true,
  sandbox: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  experimentalFeatures: false,
  webviewTag: false,
  navigateOnDragDrop: false,
  safeDialogs: true,
  spellcheck: false,
} as const

/** What a page may be granted: copying text, when its user asks for it. Everything else is denied. */
export function mayHavePermission(permission: string, pageUrl: string | undefined): boolean {
  return permission === 'clipboard-sanitized-write' && isOurPage(pageUrl)
}

/** Whether the page of a frame is ours; only such a page may ask the main process, load, or be navigated to. */
export function isOurPage(url: string | undefined): boolean {
  if (!url) return false
  try {
    const { protocol, host } = new URL(url)
    return `${protocol}//${host}` === appOrigin
  } catch {
    return false
  }
}

/** Sites that the page links to; anything else stays closed. */
const linkedSites = [
  'arxiv.org',
  'doi.org',
  'github.com',
  'huggingface.co',
  'naturalscenesdataset.org',
  'www.nvidia.com',
]

/** Whether a link of the page may be opened in the user's browser. */
export function mayOpenExternally(url: string): boolean {
  try {
    const { protocol, hostname, username, port } = new URL(url)
    return protocol === 'https:' && !username && !port && linkedSites.includes(hostname)
  } catch {
    return false
  }
}

/** Under Electron a request may come from our own page only. */
export function refuseAppRequest({ url, headers }: Request): string | undefined {
  if (!isOurPage(url)) return `This address is not part of the app.`
  const origin = headers.get('Origin')
  if (origin !== null && origin !== appOrigin) return 'Only the app itself may ask here.'
  return undefined
}

const loopbackHost = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i

/**
 * Whether a request to the loopback server must be refused whoever asks: the Host must be a loopback name (any port, so that
 * ssh tunnels work; a foreign name is another site's, rebound to this machine), the Origin, if there is one, must be that very
 * host, and no other site's page may have asked. `opening` allows a link from elsewhere, which the token then vouches for.
 */
export function refuseRequest({ headers }: Request, opening = false): string | undefined {
  const host = headers.get('Host') ?? ''
  if (!loopbackHost.test(host))
    return 'This address must be opened as localhost or 127.0.0.1, on this machine or through an ssh tunnel.'
  const origin = headers.get('Origin')
  if (origin !== null && origin.toLowerCase() !== `http://${host.toLowerCase()}`)
    return 'A page of another address has asked; only the app itself may.'
  const site = headers.get('Sec-Fetch-Site')
  if (!opening && site !== null && site !== 'same-origin' && site !== 'none')
    return 'A page of another address has asked; only the app itself may.'
  return undefined
}

/** The port a browser thinks it talks to; an ssh tunnel may have changed it. */
export function portOf(host: string): string {
  return /:(\d{1,5})$/.exec(host)?.[1] ?? '80'
}

/** Compares in a time that tells nothing about either secret. */
export function secretsEqual(given: string | undefined | null, secret: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given ?? ''), digest(secret)) && typeof given === 'string'
}
