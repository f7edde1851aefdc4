import { readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, posix, resolve } from 'node:path'
import { compareNames } from '../archive/name-order.ts'
import { type Finding, fail, throwIfErrors } from '../errors.ts'
import { FilesBelow } from '../format/files-below.ts'
import { DEFAULT_LIMITS } from '../format/limits.ts'
import { type ParsedManifest, parseManifest } from '../format/manifest-parse.ts'
import { checkManifestPaths } from '../format/manifest-paths.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { checkStaticFiles } from '../format/static-files.ts'
import { detectProject } from './detect.ts'
import { IgnoreRules } from './ignore.ts'
import { type OwnFiles, ownFiles } from './own-files.ts'
import { packageFiles } from './package-files.ts'
import { type PackageGraph, readPackageGraph } from './package-graph.ts'
import { readPackageJson } from './package-json.ts'
import { checkSizes, findSecrets, judgeNames, unusedAllowances } from './plan-checks.ts'
import { platformPackages } from './platform-packages.ts'
import { plannedPackage } from './python/library.ts'
import type { AddonTag } from './python/native-tag.ts'
import { type PythonPart, pythonPart } from './python/python-part.ts'
import type { PythonTarget } from './python/target.ts'
import type { StoredContent } from './read-file.js'
import { type Placement, relay } from './relay.ts'
import { isTraced } from './traced.ts'

/** A file that goes into the archive. */
export interface PlannedFile {
  /** Its entry name. */
  readonly path: string
  /** Where it is read from: an absolute path, its links resolved; or what a wheel holds. */
  readonly source: string | StoredContent
  readonly size: number
  readonly mtimeMs: number
  /** Belongs to a package or to Zapp: not scanned for secrets by content. */
  readonly dependency: boolean
  /** {@link PlannedPackage.path} of the Python package that it belongs to: many share their folders. */
  readonly package?: string
  /** What the tags of its wheel say of an extension module. */
  readonly addon?: AddonTag
}

/** A package of the re-laid node_modules, or a Python distribution. */
export interface PlannedPackage {
  readonly name: string
  readonly version: string
  /** Its folder in the archive: `node_modules/express`, `ZAPP-INF/lib/flask-3.1.0.dist-info`. */
  readonly path: string
  /** SPDX expression or whatever its package.json says. */
  readonly license?: string
  /** Reached only through optionalDependencies. */
  readonly optional: boolean
  /** Folder of the package whose native code for one system it is; that one's `optional` is then its own. */
  readonly nativeOf?: string
}

/** Something of the project that is not packed; the topmost folder or file only. Folders end in "/". */
export interface LeftOut {
  readonly path: string
  /** The pattern that says so, as it was written; for names that Zapp itself writes, the name. */
  readonly rule: string
  /**
   * `default`, `detected` (a build made it needless), `format` (Zapp writes it anew), `manifest` (packages, where no
   * entry runs on Node), or where the pattern stands: `sub/.zappignore:3`.
   */
  readonly from: string
}

/** What {@link pack} will write, known before anything is written. */
export interface PackPlan {
  /** Absolute path of the project, links resolved. */
  readonly dir: string
  readonly manifest: Manifest
  /** Becomes zapp.json, byte for byte. */
  readonly manifestBytes: Uint8Array
  /** Set where the project has no zapp.json: what made Zapp think so, one sentence each. */
  readonly because?: readonly string[]
  /** In archive order; without zapp.json, mimetype and what Zapp adds. */
  readonly files: readonly PlannedFile[]
  /** Every folder, ending in "/", in archive order. */
  readonly folders: readonly string[]
  readonly packages: readonly PlannedPackage[]
  /** Who needs whom, for the SBOM. */
  readonly graph: PackageGraph
  /** The same for Python, and what to say of it. */
  readonly python: Pick<PythonPart, 'packages' | 'roots' | 'notes'>
  readonly leftOut: readonly LeftOut[]
  /** Sum of the files' sizes. */
  readonly bytes: number
  /** The file that {@link pack} writes unless told otherwise: `<name>-<version>.zapp`. */
  readonly defaultName: string
  readonly warnings: readonly Finding[]
}

export interface PlanOptions {
  /** Never packed, wherever it lies: the archive that is about to be written. */
  readonly out?: string
  /** Entry names that may look like secrets. */
  readonly allowSecrets?: readonly string[]
  /** What the wheels of a Python app are for; default: the Python and the platform of this machine. */
  readonly target?: Partial<PythonTarget>
  /** Runs collectstatic of a Django project, and packs what it gives: the only option that runs the project's code. */
  readonly collectStatic?: boolean
  /**
   * A folder for wheels, for who packs a project again and again: pip is asked when requirements, its settings in the
   * environment or local folders that it takes packages from are others than before. Default: it is asked each time.
   */
  readonly wheels?: string
  readonly signal?: AbortSignal
}

/**
 * Finds out what {@link pack} would write, without writing and without running any of the project's code. For the
 * dependencies of a Python app it asks pip, which fetches wheels.
 *
 * @throws ZappError whose findings list everything that is wrong: NOT_FOUND, NOT_A_FILE, PACK_NO_MANIFEST, MANIFEST_*,
 *   LINK_*, TYPE, NAME_*, CASE_COLLISION, SECRET (by name), DEP_*, WHEEL_*, PACK_PYTHON,
 *   COLLECT_STATIC, FILE, TOTAL, TOO_MANY, IO
 */
export async function planPack(dir: string, options: PlanOptions = {}): Promise<PackPlan> {
  const root = projectFolder(dir)
  const { manifest, bytes: manifestBytes, because, ignore, warnings, locate } = await projectManifest(root, options)
  const out = options.out === undefined ? undefined : resolve(options.out)

  const rules = new IgnoreRules()
  rules.add(ignore.join('\n'), '', 'detected')
  const own = ownFiles(root, rules, out && join(realFolder(dirname(out)), basename(out)))
  const needsPackages = runsNode(manifest)
  const graph = readPackageGraph(needsPackages ? own.importers.map(withPackageJson) : [])
  // With packages missing, each missing one would be reported again for every edge that it breaks.
  const laid = graph.findings.length > 0 ? { placements: [], findings: [] } : relay(graph)
  const trees = laid.placements.map((placement) => packageFiles(placement, rules))
  const target = { platforms: [], ...options.target }
  const ownFound = own.files.map((file) => ({ ...file, dependency: false }))
  const python = await pythonPart(root, manifest, ownFound, { ...options, target })
  const { collected } = python
  const added = [...python.files.filter(({ path }) => !rules.dependency(path)), ...(collected?.files ?? [])]

  const files = [
    ...ownFound.filter(({ path }) => !collected || !path.startsWith(`${collected.folder}/`)),
    ...trees.flatMap((tree) => tree.files.map((file) => ({ ...file, dependency: true }))),
    ...added,
  ].sort((a, b) => compareNames(a.path, b.path))
  const folders = withParents([
    ...own.folders,
    ...trees.flatMap((tree) => tree.folders),
    ...added.map(({ path }) => path.slice(0, path.lastIndexOf('/') + 1)).filter((folder) => folder !== ''),
  ])
  const total = files.reduce((sum, file) => sum + file.size, 0)
  const findings = [
    ...own.findings,
    ...trees.flatMap((tree) => tree.findings),
    ...judgeNames(files, folders),
    ...graph.findings,
    ...laid.findings,
    ...python.findings,
    ...manifestPaths(manifest, files, folders, locate),
    ...findSecrets(files, options.allowSecrets ?? []),
    ...checkSizes(files, folders, total),
  ]
  throwIfErrors(findings)
  const leftOut = needsPackages ? own.leftOut : [...own.leftOut, ...unneeded(own)]
  return {
    dir: root,
    manifest,
    manifestBytes,
    ...(because ? { because } : {}),
    files,
    folders,
    packages: [...plannedPackages(laid.placements, graph), ...python.packages.map(plannedPackage)].sort((a, b) =>
      compareNames(a.path, b.path),
    ),
    graph,
    python,
    leftOut,
    bytes: total,
    defaultName: `${manifest.name}-${manifest.version}.zapp`,
    warnings: [...warnings, ...findings, ...unusedAllowances(options.allowSecrets ?? [], files, leftOut)],
  }
}

function plannedPackages(placements: readonly Placement[], graph: PackageGraph): readonly PlannedPackage[] {
  const parents = platformPackages(graph)
  const folders = new Map(placements.map(({ path, pkg }) => [pkg, path]))
  return placements.map(({ path, pkg }) => {
    const { name, version, json } = pkg
    const parent = parents.get(pkg)
    return {
      ...{ name, version, path, optional: !graph.required.has(parent ?? pkg) },
      ...(json.license === undefined ? {} : { license: json.license }),
      ...(parent ? { nativeOf: folders.get(parent) ?? path } : {}),
    }
  })
}

function projectFolder(dir: string): string {
  const root = realFolder(dir)
  if (!statSync(root).isDirectory()) throw fail('NOT_A_FOLDER', dir, { file: dir })
  return root
}

function realFolder(dir: string): string {
  try {
    return realpathSync.native(dir)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') throw fail('NOT_FOUND', dir, { file: dir }, error)
    throw fail('IO', dir, { operation: 'read', reason: message }, error)
  }
}

interface ProjectManifest {
  readonly manifest: Manifest
  readonly bytes: Uint8Array
  readonly because?: readonly string[]
  /** Rules that come before those of the project's own .zappignore. */
  readonly ignore: readonly string[]
  readonly warnings: readonly Finding[]
  readonly locate: ParsedManifest['locate']
}

/** The project's zapp.json, or the one that is suggested for it where there is no doubt. */
async function projectManifest(root: string, options: PlanOptions): Promise<ProjectManifest> {
  const written = readManifest(root)
  if (written) return { ...parsed(written), ignore: [] }
  const { suggestion, because, doubt, settledBy, ignore } = await detectProject(root)
  const isSettled = settledBy !== undefined && options[settledBy] === true
  if (doubt !== undefined && !isSettled)
    throw fail('PACK_NO_MANIFEST', 'zapp.json', { reason: doubt, suggestion, because })
  return { ...parsed(Buffer.from(suggestion)), because, ignore }
}

function readManifest(root: string): Uint8Array | undefined {
  try {
    return readFileSync(join(root, 'zapp.json'))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw fail('IO', 'zapp.json', { operation: 'read', reason: message }, error)
  }
}

function parsed(bytes: Uint8Array): Omit<ProjectManifest, 'ignore'> {
  const { manifest, findings, locate } = parseManifest(bytes)
  throwIfErrors(findings)
  if (!manifest) throw fail('INTERNAL', 'zapp.json', { reason: 'a manifest without findings could not be read' })
  return { manifest, bytes, warnings: findings, locate }
}

/** Whether any code of the app runs on Node. Static sites and Python apps use npm to build, not to run. */
function runsNode(manifest: Manifest): boolean {
  const types = [...manifest.entries.values()].map((entry) => entry.type)
  return (
    types.some((type) => type !== 'wsgi' && type !== 'asgi') ||
    [...manifest.processes.values()].some(({ run }) => run[0] === '{node}') ||
    manifest.migrate?.run[0] === '{node}'
  )
}

function unneeded({ importers }: OwnFiles): LeftOut[] {
  return importers
    .filter(({ real }) => statSync(join(real, 'node_modules'), { throwIfNoEntry: false }))
    .map(({ path }) => ({ path: posix.join(path, 'node_modules/'), rule: 'node_modules', from: 'manifest' }))
}

function withPackageJson({ path, real }: { path: string; real: string }) {
  return { path, real, json: readPackageJson(real)!, traced: isTraced(real) }
}

/** Every folder of the list with its parents, each once, in archive order. */
function withParents(folders: readonly string[]): readonly string[] {
  const all = new Set(folders)
  for (const folder of folders) {
    for (const { index } of folder.matchAll(/\//g)) all.add(folder.slice(0, index + 1))
  }
  // The format's own folder has no entry (FORMAT.md §Order).
  all.delete('ZAPP-INF/')
  return [...all].sort(compareNames)
}

function manifestPaths(
  manifest: Manifest,
  files: readonly PlannedFile[],
  folders: readonly string[],
  locate: ParsedManifest['locate'],
) {
  const fileNames = new Set(files.map(({ path }) => path))
  const folderNames = new Set(folders)
  const has = (path: string) => (fileNames.has(path) ? 'file' : folderNames.has(`${path}/`) ? 'dir' : undefined)
  const wrongPaths = checkManifestPaths(manifest, has, [...fileNames, ...folderNames], { locate })
  if (wrongPaths.length > 0) return wrongPaths
  return checkStaticFiles(manifest, new FilesBelow(fileNames), DEFAULT_LIMITS.staticFiles)
}
