import { type Archive, type ArchiveEntry, openArchive } from '../../archive/archive.ts'
import { type BuildInfo, type NativeTarget, parseBuildInfo } from '../../archive/build-info.ts'
import type { Finding } from '../../errors.ts'
import type { Manifest } from '../../format/manifest-types.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { identity, needsSections, renderSections, type Section, shapeSections } from '../describe-manifest.ts'
import { EXIT } from '../exit-codes.ts'
import { formatBytes, formatCount } from '../format.ts'
import { findingJson } from '../render-finding.ts'
import { about, sayFindings } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { renderSizeTree } from '../size-tree.ts'
import { archiveSubject } from '../subject.ts'
import type { Ui } from '../ui.ts'
import { usage } from '../usage.ts'

const CONTENTS = 'ZAPP-INF/contents.json'
const BUILD = 'ZAPP-INF/build.json'

export const inspect: CliCommand<[file: string], { json?: boolean }> = {
  define(command) {
    command
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [],
          ['zapp inspect shop-1.2.0.zapp', 'entries, routes, needs, sizes, digests'],
          ['zapp inspect shop-1.2.0.zapp --json', 'the same for programs, with every file'],
        ),
      )
  },

  async run(ui, [file]) {
    if (/^https?:\/\//i.test(file)) {
      throw usage(
        `inspect reads files; an archive behind a URL is not supported yet, got ${JSON.stringify(file)}`,
        'inspect',
      )
    }
    const subject = archiveSubject(ui, file)
    return about(subject, async () => {
      const archive = await openArchive(ui.path(file))
      try {
        const broken = await archive.verify(ui.io.signal)
        const findings = [...archive.findings, ...broken]
        if (ui.json) {
          const shown = findings.map((f) => findingJson(f, subject))
          ui.data({ ...(await archiveJson(archive, file, broken)), findings: shown })
        } else {
          await print(ui, archive, file)
          if (findings.length > 0) ui.say('')
          await sayFindings(ui, findings, subject)
        }
        return broken.length > 0 ? EXIT.bad : EXIT.done
      } finally {
        await archive.close()
      }
    })
  },
}

/** The entries are its files: folders have neither content nor digest. */
async function archiveJson(archive: Archive, file: string, broken: readonly Finding[]): Promise<object> {
  const hexOf = ({ path, sha256 }: ArchiveEntry) =>
    path === CONTENTS ? archive.contentDigest.replace('sha256:', '') : sha256
  return {
    file,
    bytes: archive.bytes,
    fileDigest: await archive.fileDigest(),
    digest: await archive.digest(),
    contentDigest: archive.contentDigest,
    validated: broken.length === 0,
    manifest: archive.manifest.source,
    entries: filesOf(archive).map((entry) => ({
      path: entry.path,
      size: entry.size,
      compressedSize: entry.compressedSize,
      sha256: hexOf(entry),
      mode: entry.mode.toString(8).padStart(4, '0'),
    })),
    signatures: [],
  }
}

async function print(ui: Ui, archive: Archive, file: string): Promise<void> {
  const { paint } = ui
  const { manifest } = archive
  const files = filesOf(archive)
  const unpacked = files.reduce((sum, { size }) => sum + size, 0)
  const sections = [
    ...shapeSections(manifest),
    ...needsSections(manifest),
    ...lifeSections(manifest),
    ...buildSections(await readBuildInfo(archive)),
  ]
  ui.out(
    [paint.bold(identity(manifest)), ...(manifest.title === undefined ? [] : [safeText(manifest.title)])].join('  '),
    `${safeText(file)}: ${formatBytes(archive.bytes)}, ${formatCount(files.length, 'file')}, ${formatBytes(unpacked)} unpacked`,
    '',
    ...renderSections(sections, paint),
    '',
    ...renderSizeTree(files, paint.dim),
    '',
    ...(await digestLines(archive, paint.dim)),
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

function targetText({ platform, arch, libc, abi }: NativeTarget): string {
  const api = abi === undefined ? [] : [abi === 'napi' ? 'Node-API' : `Node module version ${abi}`]
  return [platform, arch, ...(libc === undefined ? [] : [libc]), ...api].join(' ')
}

/** A digest is 71 cells: with these words, and nothing in front, a line just fits a terminal of 80. */
async function digestLines(archive: Archive, dim: (text: string) => string): Promise<string[]> {
  const [fileDigest, digest] = [await archive.fileDigest(), await archive.digest()]
  return [
    `${dim('file    ')} ${fileDigest}`,
    ...(digest === fileDigest ? [] : [`${dim('unsigned')} ${digest}`]),
    `${dim('content ')} ${archive.contentDigest}`,
  ]
}

async function readBuildInfo(archive: Archive): Promise<BuildInfo | undefined> {
  const entry = archive.entries.get(BUILD)
  return entry && parseBuildInfo(await archive.read(entry))
}

function filesOf(archive: Archive): ArchiveEntry[] {
  return [...archive.entries.values()].filter(({ kind }) => kind === 'file')
}
