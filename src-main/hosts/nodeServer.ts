import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { createApp, type Host } from '../app.ts'
import { MindEyeError } from '../base/errors.ts'
import { answerer, plainText } from './page.ts'
import { portOf, refuseRequest, secretsEqual } from './security.ts'

export interface ServerOptions extends Omit<Host, 'native'> {
  /** Folder of the built page. */
  renderer: string
  /** 0 for any free one. */
  port: number
}

export interface NodeHost {
  /** With the token: what a browser is to open. */
  address: string
  port: number
  token: string
  /** An address that works once: other users of the machine can read the command line of the browser that gets it. */
  addressForOnce(): string
  /** Ends open requests, jobs and child processes. */
  close(): Promise<void>
}

/** Serves the app on 127.0.0.1 only. Throws a `MindEyeError` when the port is taken or the folder is no workspace. */
export async function startNodeHost({ renderer, port, ...host }: ServerOptions): Promise<NodeHost> {
  const app = await createApp({ ...host, native: false })
  const token = secret()
  const tickets = new Set<string>()
  let listening: Listening
  try {
    listening = await listen(guarded(answerer(app, renderer), token, tickets), port)
  } catch (error) {
    await app.close()
    throw error
  }
  return {
    address: `http://127.0.0.1:${listening.port}/?token=${token}`,
    port: listening.port,
    token,
    addressForOnce() {
      const ticket = secret()
      tickets.add(ticket)
      return `http://127.0.0.1:${listening.port}/?token=${ticket}`
    },
    async close() {
      await Promise.all([listening.close(), app.close()])
    },
  }
}

const secret = () => randomBytes(24).toString('base64url')

export interface Listening {
  port: number
  close(): Promise<void>
}

/** Answers requests to 127.0.0.1; a request's signal aborts when who asked has gone. */
export async function listen(fetch: (request: Request) => Promise<Response>, port: number): Promise<Listening> {
  // Without its own Request and Response, so that the app sees the same ones as under Electron.
  const server = createAdaptorServer({ fetch, overrideGlobalObjects: false }) as Server
  server.requestTimeout = 0 // an upload of tens of GB takes longer than Node's five minutes
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new MindEyeError({
      kind: 'input',
      where: '--port',
      expected: 'a free port',
      found: `that ${port} is taken`,
      fix: 'Give another one, or 0 for any that is free.',
    })
  }
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections() // event streams would stay open for ever
      await closed
    },
  }
}

/**
 * Lets only the holder of the token pass: a browser exchanges it for a cookie, since images and streams cannot send headers; a
 * program sends it as `Authorization: Bearer TOKEN`. The cookie is a secret of its own and named by the port that the browser
 * sees, because browsers share cookies between the ports of a machine. `tickets` are exchanged like the token, each once.
 */
export function guarded(
  answer: (request: Request) => Promise<Response>,
  token: string,
  tickets = new Set<string>(),
): (request: Request) => Promise<Response> {
  const session = secret()
  return async (request) => {
    const url = new URL(request.url)
    const given = request.method === 'GET' && url.pathname === '/' ? url.searchParams.get('token') : null
    const refusal = refuseRequest(request, given !== null)
    if (refusal) return plainText(403, refusal)
    const name = `mindeye-${portOf(request.headers.get('Host') ?? '')}`
    if (secretsEqual(given, token) || (given !== null && tickets.delete(given)))
      return welcome(`${name}=${session}; Path=/; HttpOnly; SameSite=Strict`, request)
    const bearer = /^Bearer (.+)$/.exec(request.headers.get('Authorization') ?? '')?.[1]
    if (secretsEqual(cookieOf(request, name), session) || secretsEqual(bearer, token)) return answer(request)
    return plainText(
      403,
      'Open the address with its token that MindEye printed when it started; each start makes a new one.',
    )
  }
}

/**
 * Leads to the address without token. A redirect of a link on another site's page would count as that site's, and the cookie
 * would not be sent; a page of ours that goes on by itself does not.
 */
function welcome(cookie: string, { headers }: Request): Response {
  const isLinked = ['cross-site', 'same-site'].includes(headers.get('Sec-Fetch-Site') ?? '')
  const response = isLinked ? plainText(200, 'Opening MindEye …') : plainText(303, '')
  response.headers.set(isLinked ? 'Refresh' : 'Location', isLinked ? '0; url=/' : '/')
  response.headers.set('Set-Cookie', cookie)
  return response
}

function cookieOf(request: Request, name: string): string | undefined {
  const pairs = (request.headers.get('Cookie') ?? '').split('; ')
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1)
}
