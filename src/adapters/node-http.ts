import type { App } from '../runtimes/load.ts'

/** What this adapter asks of an `http.Server` or `https.Server`. */
export interface ServerLike {
  on(event: 'request', listener: App['listener']): unknown
  on(event: 'upgrade', listener: App['upgrade']): unknown
  off(event: 'request', listener: App['listener']): unknown
  off(event: 'upgrade', listener: App['upgrade']): unknown
}

/**
 * Lets an app answer everything that a server of `node:http` is asked, upgrades included. The server stays the
 * caller's: to listen, to close.
 *
 * ```ts
 * const server = http.createServer()
 * attach(server, await loadApp('shop-1.2.0.zapp'))
 * server.listen(8080)
 * ```
 *
 * @returns takes the app off again; then it may be closed
 */
export function attach(server: ServerLike, app: Pick<App, 'listener' | 'upgrade'>): () => void {
  const { listener, upgrade } = app
  server.on('request', listener)
  server.on('upgrade', upgrade)
  return () => {
    server.off('request', listener)
    server.off('upgrade', upgrade)
  }
}
