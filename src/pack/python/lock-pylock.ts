import { fail } from '../../errors.ts'
import type { Dependencies } from './dependencies.ts'
import { tables } from './lock-uv.ts'
import { lockedDependencies } from './locked.ts'
import { canonicalName, type MarkerEnvironment } from './markers.ts'
import { readToml, table } from './pyproject.ts'

/** pylock.toml (PEP 751): a flat list, each with a marker of its own. */
export function readPylock(root: string, markers: MarkerEnvironment): Dependencies | undefined {
  const lock = readToml(root, 'pylock.toml')
  if (!lock) return undefined
  if (!String(lock['lock-version']).startsWith('1.')) {
    const reason = `its lock-version must be 1, got ${JSON.stringify(lock['lock-version'])}`
    throw fail('DEP_LOCK', 'pylock.toml', { reason, todo: 'pip lock' })
  }
  const rows = tables(lock.packages)
    // The project itself.
    .filter(({ directory }) => table(directory).path !== '.')
    .map((row) => {
      const name = canonicalName(String(row.name))
      const foreign = ['vcs', 'directory', 'archive'].find((key) => row[key] !== undefined)
      const hashes = tables(row.wheels).flatMap((wheel) => {
        const { sha256 } = table(wheel.hashes)
        return typeof sha256 === 'string' ? [`sha256:${sha256}`] : []
      })
      const version = String(row.version ?? '')
      const edge = { name, extras: [], version, ...(typeof row.marker === 'string' ? { marker: row.marker } : {}) }
      return { edge, pkg: { name, version, hashes, edges: [], fits: true, ...(foreign ? { foreign } : {}) } }
    })
  return lockedDependencies(
    'pylock.toml',
    rows.map(({ pkg }) => pkg),
    rows.map(({ edge }) => edge),
    markers,
  )
}
