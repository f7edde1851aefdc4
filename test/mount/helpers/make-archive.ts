import { makeZapp } from '../../../fixtures/make/zapp-maker.ts'
import type { EntrySpec } from '../../../fixtures/make/zip-maker.ts'
import { compareNames } from '../../../src/archive/name-order.ts'

/** Content, and how it is to lie in the archive: `deflate` unless said otherwise, also where it does not pay. */
export type FileSpec = string | Buffer | { readonly content: string | Buffer; readonly method: 'stored' | 'deflate' }

/** The bytes of an archive of exactly these files, with an entry for every folder. */
export function makeArchive(manifest: object, files: Readonly<Record<string, FileSpec>>): Buffer {
  const folders = new Set(Object.keys(files).flatMap(foldersOf))
  const names = [...Object.keys(files), ...folders].sort(compareNames)
  return makeZapp({ manifest, files: names.map((name) => entryOf(name, files[name])) })
}

export function contentOf(spec: FileSpec): Buffer {
  return Buffer.from(typeof spec === 'string' || Buffer.isBuffer(spec) ? spec : spec.content)
}

function entryOf(name: string, spec: FileSpec | undefined): EntrySpec {
  if (spec === undefined) return { name }
  const stored = typeof spec === 'object' && 'method' in spec && spec.method === 'stored'
  return { name, data: contentOf(spec), method: stored ? 0 : 8 }
}

/** `a/b/c.txt` lies in `a/` and `a/b/`. */
function foldersOf(path: string): string[] {
  return [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index + 1))
}
