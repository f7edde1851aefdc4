import type { Manifest, Route } from '../format/manifest-types.ts'
import type { Archive } from './archive.ts'
import { BUILD_INFO_PATH, type BuildInfo, parseBuildInfo } from './build-info.ts'

/** One value that differs. A side that is absent had no such key. Values are JSON. */
export interface ValueChange {
  /** Of `routes` the pattern, elsewhere dotted: "runtime.node", "config.PAGE_SIZE.default". */
  readonly key: string
  readonly old?: unknown
  readonly new?: unknown
}

export interface PackageChange {
  readonly name: string
  /** Versions, in order; empty where the package is on the other side only. */
  readonly old: readonly string[]
  readonly new: readonly string[]
  /** Of all versions on each side; "unknown" where a package tells none. */
  readonly licenses: { readonly old: readonly string[]; readonly new: readonly string[] }
}

export interface FileChange {
  readonly path: string
  /** Bytes of the content; absent where the file is on the other side only. */
  readonly oldSize?: number
  readonly newSize?: number
  /** Only where it differs: the file became, or ceased to be, executable. */
  readonly mode?: { readonly old: string; readonly new: string }
}

export interface DiffSide {
  readonly name: string
  readonly version: string
  readonly contentDigest: string
  /** Of the archive's file. */
  readonly bytes: number
  readonly files: number
  /** Of the content. */
  readonly size: number
}

/** What changed from one archive to another, in meaning: no timestamps, no compression, no order. */
export interface ArchiveDiff {
  /** Equal content, whatever compressed it. */
  readonly same: boolean
  readonly old: DiffSide
  readonly new: DiffSide
  /** What the world sees: URL patterns with what answers them. */
  readonly routes: readonly ValueChange[]
  /**
   * What must be there before the app runs: runtimes, programs, packages, configuration, native code, mount. What is
   * there or not, as a program is, has the value true.
   */
  readonly needs: readonly ValueChange[]
  /** The rest of the manifest. */
  readonly settings: readonly ValueChange[]
  readonly packages: readonly PackageChange[]
  /** The app's own files and the packages' alike; what Zapp adds (ZAPP-INF) is left out, but for ZAPP-INF/lib. */
  readonly files: {
    readonly added: readonly FileChange[]
    readonly removed: readonly FileChange[]
    readonly changed: readonly FileChange[]
  }
}

/**
 * Compares two open archives by manifest, build.json and contents.json; no other content is read.
 *
 * @throws ZappError when build.json of either does not verify
 */
export async function diffArchives(before: Archive, after: Archive): Promise<ArchiveDiff> {
  const [oldBuild, newBuild] = await Promise.all([readBuildInfo(before), readBuildInfo(after)])
  return {
    same: before.contentDigest === after.contentDigest,
    old: side(before),
    new: side(after),
    routes: changes(routes(before.manifest), routes(after.manifest), 1),
    needs: changes(needs(before.manifest, oldBuild), needs(after.manifest, newBuild)),
    settings: changes(settings(before.manifest), settings(after.manifest)),
    packages: packageChanges(oldBuild, newBuild),
    files: fileChanges(before, after),
  }
}

async function readBuildInfo(archive: Archive): Promise<BuildInfo | undefined> {
  const entry = archive.entries.get(BUILD_INFO_PATH)
  return entry && parseBuildInfo(await archive.read(entry))
}

function side(archive: Archive): DiffSide {
  const files = [...archive.entries.values()].filter(({ kind }) => kind === 'file')
  return {
    name: archive.manifest.name,
    version: archive.manifest.version,
    contentDigest: archive.contentDigest,
    bytes: archive.bytes,
    files: files.length,
    size: files.reduce((sum, { size }) => sum + size, 0),
  }
}

// ── The manifest, by meaning: the normalised one, so that `entry` and `entries: {"main": …}` are the same ──────────

function routes({ routes }: Manifest): object {
  return Object.fromEntries(routes.map((route) => [route.pattern.text, routeValue(route)]))
}

function routeValue({ target, headers, cache, strip, websocket, unpack }: Route): object {
  const { kind, ...what } = target
  return {
    ...(kind === 'entry' ? what : { [kind]: kind === 'static' ? target.path : target.to }),
    ...(kind === 'static' && target.else ? { else: target.else } : {}),
    ...(kind === 'redirect' ? { status: target.status } : {}),
    ...(headers.length > 0 ? { headers: Object.fromEntries(headers.toSorted()) } : {}),
    ...(cache === undefined ? {} : { cache }),
    ...(strip ? { strip } : {}),
    ...(websocket ? { websocket } : {}),
    ...(unpack ? {} : { unpack }),
  }
}

function needs({ dependencies, config, base }: Manifest, build: BuildInfo | undefined): object {
  const { runtime, commands, provided } = dependencies
  const targets = build?.native.map(({ platform, arch, libc, python }) =>
    [platform, arch, libc, python].filter(Boolean).join(' '),
  )
  return {
    runtime: Object.fromEntries(Object.entries(runtime).map(([name, range]) => [name, range.text])),
    commands: present(commands),
    provided: { node: present(provided.node), python: present(provided.python) },
    config,
    base,
    native: present(targets ?? []),
  }
}

function present(names: readonly string[]): Record<string, true> {
  return Object.fromEntries(names.map((name) => [name, true]))
}

/** What {@link DiffSide}, {@link routes} and {@link needs} tell, and the manifest as written. */
const TOLD_ELSEWHERE: ReadonlySet<string> = new Set([
  'source',
  'name',
  'version',
  'routes',
  'dependencies',
  'config',
  'base',
])

function settings(manifest: Manifest): object {
  return Object.fromEntries(Object.entries(manifest).filter(([key]) => !TOLD_ELSEWHERE.has(key)))
}

/**
 * Every leaf that differs, by dotted key in order. Arrays are leaves: their order has meaning; and so is what lies
 * `depth` keys deep.
 */
function changes(before: unknown, after: unknown, depth = Number.POSITIVE_INFINITY, key = ''): ValueChange[] {
  const [old, now] = depth > 0 ? [members(before), members(after)] : []
  if (old && now) {
    const names = [...new Set([...old.keys(), ...now.keys()])].sort()
    return names.flatMap((name) =>
      changes(old.get(name), now.get(name), depth - 1, key === '' ? name : `${key}.${name}`),
    )
  }
  const [a, b] = [plain(before), plain(after)]
  if (JSON.stringify(a) === JSON.stringify(b)) return []
  return [{ key, ...(a === undefined ? {} : { old: a }), ...(b === undefined ? {} : { new: b }) }]
}

function members(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (value instanceof Map) return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return new Map(Object.entries(value))
}

/** As JSON would hold it. */
function plain(value: unknown): unknown {
  const map = members(value)
  return map ? Object.fromEntries([...map].map(([name, member]) => [name, plain(member)])) : value
}

// ── Packages and files ────────────────────────────────────────────────────────────────────────────────────────────

function packageChanges(before: BuildInfo | undefined, after: BuildInfo | undefined): PackageChange[] {
  const [old, now] = [byName(before), byName(after)]
  const result: PackageChange[] = []
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const [a, b] = [old.get(name), now.get(name)]
    const versions = { old: distinct(a?.versions), new: distinct(b?.versions) }
    const licenses = { old: distinct(a?.licenses), new: distinct(b?.licenses) }
    const isSame = String(licenses.old) === String(licenses.new) && String(versions.old) === String(versions.new)
    if (!isSame) result.push({ name, ...versions, licenses })
  }
  return result
}

function byName(build: BuildInfo | undefined): Map<string, { versions: string[]; licenses: string[] }> {
  const result = new Map<string, { versions: string[]; licenses: string[] }>()
  for (const { name, version, license } of build?.packages ?? []) {
    const row = result.get(name) ?? { versions: [], licenses: [] }
    row.versions.push(version)
    row.licenses.push(license ?? 'unknown')
    result.set(name, row)
  }
  return result
}

function distinct(values: readonly string[] = []): string[] {
  return [...new Set(values)].sort()
}

function fileChanges(before: Archive, after: Archive): ArchiveDiff['files'] {
  const [old, now] = [fileMap(before), fileMap(after)]
  const added: FileChange[] = []
  const removed: FileChange[] = []
  const changed: FileChange[] = []
  for (const [path, a] of old) {
    const b = now.get(path)
    if (b === undefined) removed.push({ path, oldSize: a.size })
    else if (a.sha256 !== b.sha256 || a.mode !== b.mode) {
      const mode = a.mode === b.mode ? {} : { mode: { old: octal(a.mode), new: octal(b.mode) } }
      changed.push({ path, oldSize: a.size, newSize: b.size, ...mode })
    }
  }
  for (const [path, { size }] of now) if (!old.has(path)) added.push({ path, newSize: size })
  return { added, removed, changed }
}

function fileMap(archive: Archive) {
  const files = [...archive.entries.values()].filter(
    ({ path, kind }) => kind === 'file' && (!path.startsWith('ZAPP-INF/') || path.startsWith('ZAPP-INF/lib/')),
  )
  return new Map(files.map((entry) => [entry.path as string, entry]))
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
