import type { Entry, Manifest } from '../format/manifest-types.ts'

/** Whether code of the app shares the process that loads it, and so its environment. Programs have one of their own. */
export function runsInProcess({ entries }: Manifest): boolean {
  return [...entries.values()].some(isInProcess)
}

export function isInProcess({ type }: Entry): boolean {
  return type === 'node' || type === 'fetch'
}

/**
 * One entry, of WSGI, on our own server: its workers answer for the whole app, static files among it. Only the loader of
 * Node finds files of earlier versions, so an app with a route whose cache is "immutable" stays with that.
 */
export function isPythonApp({ entries, routes, workers }: Manifest): boolean {
  const [entry, other] = [...entries.values()]
  if (entry?.type !== 'wsgi' || other || workers.server !== undefined) return false
  return !routes.some(({ cache }) => cache === 'immutable')
}
