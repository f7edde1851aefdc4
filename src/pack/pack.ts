import { join } from 'node:path'
import { BUILD_INFO_PATH, formatBuildInfo, type NativeTarget } from '../archive/build-info.ts'
import { isCompressible } from '../archive/compressible.ts'
import { MANIFEST, SBOM } from '../archive/holdings.ts'
import { compareNames } from '../archive/name-order.ts'
import { type Writer, writeArchive } from '../archive/writer.ts'
import { type Finding, fail, finding, throwIfErrors } from '../errors.ts'
import { PACKER } from './packer.ts'
import { type PackPlan, type PlannedFile, type PlanOptions, planPack } from './plan.ts'
import { CHANGED } from './read-file.js'
import { type Read, readFiles } from './read-files.ts'
import { SizeReport, type SizeRow } from './size-report.ts'

export type { SizeRow } from './size-report.ts'

/** How far {@link pack} is. `done` and `total` are bytes of the files, before compression. */
export interface PackProgress {
  /** `plan`: looking at the tree; `write`: reading and compressing; `check`: validating what was written. */
  readonly phase: 'plan' | 'write' | 'check'
  readonly done: number
  readonly total: number
}

export interface PackOptions extends Pick<PlanOptions, 'allowSecrets' | 'collectStatic' | 'target' | 'wheels'> {
  /** The file to write. Default: `<name>-<version>.zapp` in the project. An existing file is replaced. */
  readonly out?: string
  /** Makes the archive of a Python app a program of its own, with a first line that names Python. Default: false. */
  readonly executable?: boolean
  /** What {@link planPack} gave for the same project a moment ago: saves making it again. */
  readonly plan?: PackPlan
  readonly onProgress?: (progress: PackProgress) => void
  readonly signal?: AbortSignal
}

export interface PackResult {
  /** Absolute path of the archive. */
  readonly file: string
  readonly bytes: number
  /** File entries, Zapp's own included; folders are not counted. */
  readonly files: number
  /** `sha256:<hex>` of the whole file. */
  readonly digest: string
  /** `sha256:<hex>` of contents.json. */
  readonly contentDigest: string
  readonly ms: number
  /** Largest first. */
  readonly report: readonly SizeRow[]
  readonly warnings: readonly Finding[]
  readonly plan: PackPlan
}

/** What Python runs of a zip. */
const MAIN = '__main__.py'
/** POSIX leaves it to the system which Python that is: the loader says what it needs. */
const INTERPRETER = '#!/usr/bin/env python3\n'

/**
 * Packs a project into an archive: production dependencies only, reproducible bytes, checked as a reader would before
 * it takes the target's place. Runs none of the project's code.
 *
 * @throws ZappError as {@link planPack}, and SECRET (by content), PACK_EXECUTABLE, PACK_CHANGED, IO; `signal.reason` after an abort.
 *   Whatever is thrown, nothing is left behind and an earlier file is untouched.
 */
export async function pack(dir: string, options: PackOptions = {}): Promise<PackResult> {
  const started = performance.now()
  options.onProgress?.({ phase: 'plan', done: 0, total: 0 })
  const plan = options.plan ?? (await planPack(dir, options))
  options.signal?.throwIfAborted()
  if (options.executable && !plan.files.some(({ path }) => path === MAIN)) throw fail('PACK_EXECUTABLE', MAIN)

  const report = new SizeReport(plan.packages)
  const out = options.out ?? join(plan.dir, plan.defaultName)
  const fill = async (writer: Writer) => {
    await writer.text(MANIFEST, plan.manifestBytes)
    const { native, bill } = await writeTree(writer, plan, report, options)
    await writer.text(SBOM, bill)
    const packages = plan.packages.map(({ optional, nativeOf, ...row }) => row)
    await writer.text(BUILD_INFO_PATH, formatBuildInfo({ v: 1, packer: PACKER, packages, native }))
  }
  const { warnings, ...written } = await writeArchive(out, fill, {
    contentChecked: true,
    ...(options.executable ? { interpreter: INTERPRETER } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
    onWritten: (bytes) => options.onProgress?.({ phase: 'check', done: 0, total: bytes }),
  })
  options.onProgress?.({ phase: 'check', done: written.bytes, total: written.bytes })
  return {
    ...written,
    ms: Math.round(performance.now() - started),
    report: report.rows(),
    warnings: [...plan.warnings, ...warnings],
    plan,
  }
}

/** Folders and files in archive order. Secrets and changed files do not end it, so that all of them are reported. */
async function writeTree(writer: Writer, plan: PackPlan, report: SizeReport, options: PackOptions) {
  const native: NativeTarget[] = []
  const findings: Finding[] = []
  const allowed = new Set(options.allowSecrets)
  const executable = new Set(plan.manifest.executable)
  const folders = plan.folders.values()
  let folder = folders.next()
  const files = plan.files.values()
  let bill: Uint8Array | undefined
  let done = 0
  options.onProgress?.({ phase: 'write', done, total: plan.bytes })
  const jobs = plan.files.map((file) => job(file, allowed))
  for await (const result of readFiles(jobs, options.signal)) {
    // The workers have the next batches before them: now it costs no time.
    bill ??= await sbomOf(plan)
    const file = files.next().value!
    done += file.size
    options.onProgress?.({ phase: 'write', done, total: plan.bytes })
    const read = check(file, result, findings)
    // After the first finding the archive will not be finished: only the reading goes on.
    if (!read || findings.length > 0) continue

    for (; !folder.done && compareNames(folder.value, file.path) < 0; folder = folders.next()) {
      await writer.folder(folder.value)
    }
    const mode = read.program || executable.has(file.path) ? 0o755 : 0o644
    await writer.file({ path: file.path, mode, ...read })
    report.add(file, read.data.length)
    const owner = { path: file.path, ...report.owner(file) }
    native.push(...(read.native ?? []).map((target) => ({ ...owner, ...target, ...addonTarget(file, target) })))
  }
  throwIfErrors(findings)
  for (; !folder.done; folder = folders.next()) await writer.folder(folder.value)
  return { native, bill: bill ?? (await sbomOf(plan)) }
}

/** A shared object that Python imports is told by the tags of its wheel, not by its bytes. */
function addonTarget({ addon }: PlannedFile, { platform }: { platform: string }): Partial<NativeTarget> {
  if (!addon) return {}
  const { libc, ...python } = addon
  return { kind: 'addon', ...python, ...(libc && platform === 'linux' ? { libc } : {}) }
}

/** The library is loaded late: it takes as long as packing a small project. */
async function sbomOf(plan: PackPlan): Promise<Uint8Array> {
  const { sbom } = await import('./sbom.ts')
  return sbom(plan.manifest, plan.graph, plan.python, PACKER)
}

function job(file: PlannedFile, allowed: ReadonlySet<string>) {
  const { path, source, size, mtimeMs, dependency } = file
  const compressible = isCompressible(path)
  // What is compressed already holds nothing that a pattern could find.
  const scan = compressible && !dependency && !allowed.has(path)
  return { path, source, size, mtimeMs, compressible, scan }
}

function check({ path }: PlannedFile, read: Read, findings: Finding[]) {
  if ('problem' in read) {
    const changed = read.problem === CHANGED
    findings.push(
      changed ? finding('PACK_CHANGED', path) : finding('IO', path, { operation: 'read', reason: read.problem }),
    )
    return undefined
  }
  if (read.secret !== undefined) findings.push(finding('SECRET', path, { what: read.secret, name: path }))
  return read
}
