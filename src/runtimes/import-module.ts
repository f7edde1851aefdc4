import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { fail } from '../errors.ts'

/** A module that was loaded, and what of it was looked for. */
export interface Found<T> {
  readonly exported: unknown
  /** The export in which it was found. */
  readonly value: unknown
  readonly found: T
}

export interface Search<T> {
  /** Where it is looked for when the manifest names no export. */
  readonly names: readonly string[]
  /** What it is, in words: ENTRY_EXPORT. */
  readonly expected: string
  accept(value: unknown): Promise<T | undefined> | T | undefined
  /** What was exported instead, in a few words. */
  describe(exported: unknown, name: string | undefined): string
}

/**
 * Loads the module of an entry and finds what answers requests in it. The working folder stays the container's: it
 * belongs to the whole process. FORMAT.md §Calling an entry point.
 *
 * @param root the run tree
 * @throws ZappError ENTRY_LOAD, ENTRY_EXPORT; the app's own error is the `cause`
 */
export async function importEntry<T>(
  root: string,
  entry: { readonly module: string; readonly export?: string },
  { names, expected, accept, describe }: Search<T>,
): Promise<Found<T>> {
  const { module } = entry
  try {
    const exported = await load(root, module)
    for (const candidate of candidates(exported, entry.export, names)) {
      const value = await candidate
      const found = await accept(value)
      if (found !== undefined) return { exported, value, found }
    }
    throw fail('ENTRY_EXPORT', module, { module, expected, got: describe(exported, entry.export) })
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code === 'ENTRY_EXPORT') throw error
    if (error instanceof SyntaxError) {
      const { addSyntaxPlace } = await import('./syntax-place.ts')
      await addSyntaxPlace(error, pathToFileURL(join(root, module)).href)
    }
    throw fail('ENTRY_LOAD', module, { module, reason: reasonOf(error) }, error)
  }
}

function* candidates(exported: unknown, name: string | undefined, usual: readonly string[]): Iterable<unknown> {
  const names = name === undefined ? usual : [name]
  // module.exports = app. A named export is never the whole module.
  if (name === undefined) yield exported
  for (const part of [exported, property(exported, 'default')]) {
    for (const key of names) yield property(part, key)
  }
}

function property(value: unknown, key: string): unknown {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
    ? (value as Record<string, unknown>)[key]
    : undefined
}

/**
 * CommonJS is required, so that `module.parent` is set as in a program that requires the app: many start to listen
 * where it is not. ES modules are imported.
 */
async function load(root: string, module: string): Promise<unknown> {
  const file = join(root, module)
  if (await isCommonJs(root, module)) {
    try {
      return createRequire(join(root, 'zapp.json'))(file)
    } catch (error) {
      // ES syntax in a .js file that no package.json declares to be one; import() finds out too.
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ERR_REQUIRE_ESM' && code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error
    }
  }
  return import(pathToFileURL(file).href)
}

/** Node's rule: by the extension, for .js by `type` of the nearest package.json. */
async function isCommonJs(root: string, module: string): Promise<boolean> {
  if (!module.endsWith('.js')) return !module.endsWith('.mjs')
  for (let folder = dirname(module); ; folder = dirname(folder)) {
    const text = await readFile(join(root, folder, 'package.json'), 'utf8').catch(() => undefined)
    if (text !== undefined) return (JSON.parse(text) as { type?: string }).type !== 'module'
    if (folder === '.') return true
  }
}

/** One line, without stack: the error itself is the cause. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return text.split('\n', 1)[0]!.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ')
}
