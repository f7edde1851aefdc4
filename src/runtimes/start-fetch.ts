import { createFetchListener } from './fetch-listener.ts'
import { importEntry } from './import-module.ts'
import { asUpgrade, describeExport, isClass } from './listener-shapes.ts'
import type { FetchHandler, RunningEntry } from './running-entry.ts'

/**
 * Loads the module of a `fetch` entry and finds its handler. An upgrade needs a socket, which no fetch handler is given:
 * a module that takes WebSockets exports a function `upgrade(req, socket, head)` beside it.
 *
 * @param root the run tree
 * @throws ZappError ENTRY_LOAD, ENTRY_EXPORT; the app's own error is the `cause`
 */
export async function startFetch(
  root: string,
  entry: { readonly module: string; readonly export?: string },
): Promise<RunningEntry> {
  const { exported, value, found } = await importEntry(root, entry, {
    names: ['default', 'fetch', 'app', 'handler', 'server'],
    expected: 'a function that takes a Request, or an object with such a method "fetch"',
    accept: asFetchHandler,
    describe: describeExport,
  })
  return { fetch: found, listener: createFetchListener(found), upgrade: () => asUpgrade(exported, value) }
}

/** Hono, h3, Elysia and srvx export an object that has the method; others just the function. */
function asFetchHandler(value: unknown): FetchHandler | undefined {
  const { fetch } = Object(value) as { fetch?: unknown }
  if (typeof fetch === 'function') return (request) => fetch.call(value, request)
  return typeof value === 'function' && !isClass(value) ? (value as FetchHandler) : undefined
}
