import { describe, expect, it } from 'vitest'
import {
  mayHavePermission,
  mayOpenExternally,
  portOf,
  refuseAppRequest,
  refuseRequest,
  schemePrivileges,
  secretsEqual,
  securityHeaders,
  webPreferences,
} from '../../src-main/hosts/security.ts'

describe('the window', () => {
  it('has every option that matters for security stated', () => {
    expect(webPreferences).toEqual({
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
    })
  })

  it('loads from a scheme that cannot pass the policy by', () => {
    expect(schemePrivileges).toEqual({ standard: true, secure: true, supportFetchAPI: true, stream: true })
  })

  it('may copy text, from our own page, and nothing else', () => {
    expect(mayHavePermission('clipboard-sanitized-write', 'app://mindeye/#/data')).toBe(true)
    expect(mayHavePermission('clipboard-sanitized-write', 'https://example.org/')).toBe(false)
    expect(mayHavePermission('clipboard-sanitized-write', undefined)).toBe(false)
    for (const permission of ['clipboard-read', 'media', 'geolocation', 'notifications', 'fileSystem', 'openExternal'])
      expect(mayHavePermission(permission, 'app://mindeye/')).toBe(false)
  })

  it('opens links to known sites only', () => {
    expect(mayOpenExternally('https://arxiv.org/abs/2305.18274')).toBe(true)
    for (const url of [
      'http://arxiv.org/abs/2305.18274',
      'https://arxiv.org.evil.example/',
      'https://user@arxiv.org/',
      'https://arxiv.org:8443/',
      'file:///etc/passwd',
      'javascript:alert(1)',
      'app://mindeye/',
      'ms-settings:',
      'not a url',
    ])
      expect(mayOpenExternally(url), url).toBe(false)
  })
})

describe('headers', () => {
  const directives = new Map(
    securityHeaders['Content-Security-Policy'].split('; ').map((part) => {
      const [name, ...values] = part.split(' ')
      return [name, values]
    }),
  )

  it('allow nothing by default, and no script but our own files', () => {
    expect(directives.get('default-src')).toEqual(["'none'"])
    expect(directives.get('script-src')).toEqual(["'self'", "'wasm-unsafe-eval'"])
    expect(directives.get('connect-src')).toEqual(["'self'"])
    for (const name of ['base-uri', 'form-action', 'frame-ancestors']) expect(directives.get(name)).toEqual(["'none'"])
    expect(directives.has('object-src')).toBe(false) // falls back to 'none'
    expect(directives.has('frame-src')).toBe(false)
  })

  it('name no other site anywhere', () => {
    const words = new Set([...directives.values()].flat())
    expect([...words].sort()).toEqual(["'none'", "'self'", "'unsafe-inline'", "'wasm-unsafe-eval'", 'blob:', 'data:'])
    expect(directives.get('script-src')).not.toContain("'unsafe-inline'")
  })

  it('keep the page out of frames, and types as declared', () => {
    expect(securityHeaders).toMatchObject({
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
    })
  })
})

describe('a request under Electron', () => {
  it('comes from our own page only', () => {
    const at = (url: string, headers = {}) => refuseAppRequest(new Request(url, { headers }))
    expect(at('app://mindeye/')).toBeUndefined()
    expect(at('app://mindeye/api/trpc/x', { Origin: 'app://mindeye' })).toBeUndefined()
    expect(at('app://other/')).toBeDefined()
    expect(at('app://mindeye/', { Origin: 'https://example.org' })).toBeDefined()
    expect(at('app://mindeye/', { Origin: 'null' })).toBeDefined()
  })
})

describe('a request to the loopback server', () => {
  const ask = (headers: Record<string, string>, opening = false) =>
    refuseRequest({ headers: new Headers(headers) } as Request, opening)

  it.each(['localhost', 'localhost:47310', '127.0.0.1:8080', '[::1]:1', 'LOCALHOST:80'])('may name %s', (Host) => {
    expect(ask({ Host })).toBeUndefined()
  })

  it.each([
    '',
    'example.org',
    'localhost.example.org',
    '127.0.0.1.nip.io:80',
    '0.0.0.0',
    '127.0.0.2',
    'localhost:x',
    'a@localhost',
  ])('must not name "%s"', (Host) => {
    expect(ask({ Host })).toContain('localhost')
  })

  it('comes from the very origin it asks', () => {
    const Host = 'localhost:9000'
    expect(ask({ Host, Origin: 'http://localhost:9000' })).toBeUndefined()
    for (const Origin of [
      'http://localhost:9001',
      'https://localhost:9000',
      'http://127.0.0.1:9000',
      'null',
      'http://evil.example',
    ])
      expect(ask({ Host, Origin }), Origin).toBeDefined()
  })

  it('is not asked by a page of another port, which a browser calls the same site', () => {
    const Host = 'localhost:9000'
    expect(ask({ Host, 'Sec-Fetch-Site': 'same-origin' })).toBeUndefined()
    expect(ask({ Host, 'Sec-Fetch-Site': 'none' })).toBeUndefined()
    expect(ask({ Host, 'Sec-Fetch-Site': 'same-site' })).toBeDefined()
    expect(ask({ Host, 'Sec-Fetch-Site': 'cross-site' })).toBeDefined()
    expect(ask({ Host, 'Sec-Fetch-Site': 'cross-site' }, true)).toBeUndefined() // a link with the token
  })
})

it('compares secrets whole', () => {
  expect(secretsEqual('abc', 'abc')).toBe(true)
  for (const given of ['', 'ab', 'abcd', 'abC', undefined, null]) expect(secretsEqual(given, 'abc')).toBe(false)
  expect(secretsEqual(undefined, '')).toBe(false)
})

it('reads the port that the browser sees', () => {
  expect(portOf('localhost:8080')).toBe('8080')
  expect(portOf('[::1]:8080')).toBe('8080')
  expect(portOf('localhost')).toBe('80')
})
