import { type Archive, type ArchiveEntry, openArchive } from '../../archive/archive.ts'
import { BUILD_INFO_PATH, type BuildInfo, type NativeTarget, parseBuildInfo } from '../../archive/build-info.ts'
import { readRemote } from '../../archive/remote.ts'
import { type Finding, fail, throwIfErrors } from '../../errors.ts'
import type { Manifest } from '../../format/manifest-types.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { identity, needsSections, renderSections, type Section, shapeSections } from '../describe-manifest.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { formatBytes, formatCount } from '../format.ts'
import { findingJson } from '../render-finding.ts'
import { about, sayFindings } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { renderSizeTree } from '../size-tree.ts'
import { archiveSubject, type Subject, urlSubject } from '../subject.ts'
import type { Ui } from '../ui.ts'

const CONTENTS = 'ZAPP-INF/contents.json'

/** What is shown of an archive, wherever it lies. */
interface Inspected {
  readonly file: string
  readonly bytes: number
  /** Null where the file was not read whole. */
  readonly fileDigest: string | null
  readonly digest: string | null
  readonly contentDigest: string
  readonly validated: boolean
  readonly manifest: Manifest
  readonly entries: ReadonlyMap<string, ArchiveEntry>
  readonly build: BuildInfo | undefined
}

export const inspect: CliCommand<[file: string], { json?: boolean }> = {
  define(command) {
    command
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [
            'Of an archive behind a URL only the directory, the manifest and Zapp’s metadata',
            'are fetched: its content is not checked, its digests are what it claims.',
          ],
          ['zapp inspect shop-1.2.0.zapp', 'entries, routes, needs, sizes, digests'],
          ['zapp inspect shop-1.2.0.zapp --json', 'the same for programs, with every file'],
          ['zapp inspect https://…/shop.zapp', 'before it is downloaded'],
        ),
      )
  },

  run: (ui, [file]) => (/^https?:\/\//i.test(file) ? inspectUrl(ui, file) : inspectFile(ui, file)),
}

async function inspectFile(ui: Ui, file: string): Promise<ExitCode> {
  const subject = archiveSubject(ui, file)
  return about(subject, async () => {
    const archive = await openArchive(ui.path(file))
    try {
      const broken = await archive.verify(ui.io.signal)
      const findings = [...archive.findings, ...broken]
      const { bytes, contentDigest, manifest, entries } = archive
      const [fileDigest, digest] = [await archive.fileDigest(), await archive.digest()]
      const [validated, build] = [broken.length === 0, await readBuildInfo(archive)]
      await show(
        ui,
        { file, bytes, fileDigest, digest, contentDigest, validated, manifest, entries, build },
        findings,
        subject,
      )
      return validated ? EXIT.done : EXIT.bad
    } finally {
      await archive.close()
    }
  })
}

async function inspectUrl(ui: Ui, url: string): Promise<ExitCode> {
  const remote = await about(urlSubject(url), () => readRemote(url, { signal: ui.io.signal }))
  const subject = urlSubject(url, remote.manifestText)
  return about(subject, async () => {
    const { bytes, contentDigest, manifest, entries, build, findings } = remote
    throwIfErrors(findings)
    if (!manifest) throw fail('INTERNAL', '', { reason: 'a manifest without errors was not parsed' })
    const shown = {
      file: url,
      bytes,
      fileDigest: null,
      digest: null,
      contentDigest,
      validated: false,
      manifest,
      entries,
      build,
    }
    await show(ui, shown, findings, subject)
    const { received, requests } = remote
    ui.say('', `read ${formatBytes(received)} in ${formatCount(requests, 'request')}; the content was not checked`)
    return EXIT.done
  })
}

async function show(ui: Ui, inspected: Inspected, findings: readonly Finding[], subject: Subject): Promise<void> {
  if (ui.json) {
    ui.data({ ...archiveJson(inspected), findings: findings.map((f) => findingJson(f, subject)) })
    return
  }
  print(ui, inspected)
  if (findings.length > 0) ui.say('')
  await sayFindings(ui, findings, subject)
}

/** The entries are its files: folders have neither content nor digest. */
function archiveJson({ build, manifest, entries, ...facts }: Inspected): object {
  const hexOf = ({ path, sha256 }: ArchiveEntry) =>
    path === CONTENTS ? facts.contentDigest.replace('sha256:', '') : sha256
  return {
    ...facts,
    manifest: manifest.source,
    entries: filesOf(entries).map((entry) => ({
      path: entry.path,
      size: entry.size,
      compressedSize: entry.compressedSize,
      sha256: hexOf(entry),
      mode: entry.mode.toString(8).padStart(4, '0'),
    })),
    signatures: [],
  }
}

function print(ui: Ui, inspected: Inspected): void {
  const { paint } = ui
  const { manifest, file, bytes, build } = inspected
  const files = filesOf(inspected.entries)
  const unpacked = files.reduce((sum, { size }) => sum + size, 0)
  const sections = [
    ...shapeSections(manifest),
    ...needsSections(manifest),
    ...lifeSections(manifest),
    ...buildSections(build),
  ]
  ui.out(
    [paint.bold(identity(manifest)), ...(manifest.title === undefined ? [] : [safeText(manifest.title)])].join('  '),
    `${safeText(file)}: ${formatBytes(bytes)}, ${formatCount(files.length, 'file')}, ${formatBytes(unpacked)} unpacked`,
    '',
    ...renderSections(sections, paint),
    '',
    ...renderSizeTree(files, paint.dim),
    '',
    ...digestLines(inspected, paint.dim),
  )
}

function lifeSections({ health, migrate, processes, errors }: Manifest): Section[] {
  const rows = (list: readonly (readonly string[])[]) => list.map((row) => row.map(safeText))
  return [
    { title: 'health', rows: rows(health === undefined ? [] : [[health.path]]) },
    { title: 'migrate', rows: rows(migrate === undefined ? [] : [[migrate.run.join(' ')]]) },
    { title: 'processes', rows: rows([...processes.values()].map((p) => [p.name, p.run.join(' ')])) },
    { title: 'errors', rows: rows([...errors]) },
  ]
}

function buildSections(build: BuildInfo | undefined): Section[] {
  if (build === undefined) return []
  const targets = new Map<string, number>()
  for (const target of build.native) targets.set(targetText(target), (targets.get(targetText(target)) ?? 0) + 1)
  return [
    { title: 'packages', rows: [[build.packages.length.toLocaleString('en-US')]] },
    { title: 'native', rows: [...targets].map(([target, count]) => [safeText(target), formatCount(count, 'file')]) },
    { title: 'packed by', rows: [[safeText(`${build.packer.name} ${build.packer.version}`)]] },
  ]
}

function targetText({ platform, arch, libc, abi, python }: NativeTarget): string {
  const api = abi === undefined ? [] : [abi === 'napi' ? 'Node-API' : `Node module version ${abi}`]
  const built = python === undefined ? [] : [`Python ABI ${python}`]
  return [platform, arch, ...(libc === undefined ? [] : [libc]), ...api, ...built].join(' ')
}

/** A digest is 71 cells: with these words, and nothing in front, a line just fits a terminal of 80. */
function digestLines({ fileDigest, digest, contentDigest }: Inspected, dim: (text: string) => string): string[] {
  return [
    ...(fileDigest === null ? [] : [`${dim('file    ')} ${fileDigest}`]),
    ...(digest === fileDigest ? [] : [`${dim('unsigned')} ${digest}`]),
    `${dim('content ')} ${contentDigest}`,
  ]
}

async function readBuildInfo(archive: Archive): Promise<BuildInfo | undefined> {
  const entry = archive.entries.get(BUILD_INFO_PATH)
  return entry && parseBuildInfo(await archive.read(entry))
}

function filesOf(entries: ReadonlyMap<string, ArchiveEntry>): ArchiveEntry[] {
  return [...entries.values()].filter(({ kind }) => kind === 'file')
}
