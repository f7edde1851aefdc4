import { openArchive } from '../../archive/archive.ts'
import { type ArchiveDiff, diffArchives, type ValueChange } from '../../archive/diff.ts'
import type { Manifest } from '../../format/manifest-types.ts'
import { change, fileRows, packageRow, type Row, renderRows, signed, valueRow } from '../changes.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { identity, needsSections, type Section, shapeSections } from '../describe-manifest.ts'
import { EXIT } from '../exit-codes.ts'
import { formatBytes, formatCount } from '../format.ts'
import { about } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { archiveSubject } from '../subject.ts'
import type { Style, Ui } from '../ui.ts'

export const diff: CliCommand<[old: string, next: string], { json?: boolean }> = {
  define(command) {
    command
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        helpText(
          [
            'Compares what two archives mean: routes, needs, settings, packages, files, size.',
            'Equal content is no difference, whatever compressed it. Exit code 0 either way.',
          ],
          ['zapp diff shop-1.2.0.zapp shop-1.2.1.zapp', 'what a deploy would change'],
          ['zapp diff old.zapp new.zapp --json', 'the same for programs'],
        ),
      )
  },

  async run(ui, [oldFile, newFile]) {
    const before = await open(ui, oldFile)
    try {
      const after = await open(ui, newFile)
      try {
        const result = await diffArchives(before, after)
        if (ui.json)
          ui.data({ ...result, old: { file: oldFile, ...result.old }, new: { file: newFile, ...result.new } })
        else ui.out(...render(result, before.manifest, after.manifest, ui.paint))
        return EXIT.done
      } finally {
        await after.close()
      }
    } finally {
      await before.close()
    }
  },
}

function open(ui: Ui, file: string) {
  return about(archiveSubject(ui, file), () => openArchive(ui.path(file)))
}

function render(diff: ArchiveDiff, before: Manifest, after: Manifest, style: Style): string[] {
  const { old, new: now } = diff
  const sections = [
    ...describedSections(before, after, diff),
    { title: 'settings', rows: diff.settings.filter(({ key }) => !DESCRIBED.test(key)).map(valueRow) },
    { title: 'native', rows: diff.needs.filter(({ key }) => key.startsWith('native.')).map(nativeRow) },
    { title: 'packages', rows: diff.packages.map(packageRow) },
    { title: 'files', rows: fileRows(diff.files) },
  ].filter(({ rows }) => rows.length > 0)
  const lines = sections.flatMap(({ title, rows }) => ['', style.dim(title), ...renderRows(rows, style)])
  return [
    style.bold(`${identity(before)} → ${identity(after)}`),
    `${formatBytes(old.bytes)} → ${formatBytes(now.bytes)} (${signed(now.bytes - old.bytes)}), ` +
      `${old.files.toLocaleString('en-US')} → ${formatCount(now.files, 'file')}, ` +
      `${formatBytes(old.size)} → ${formatBytes(now.size)} unpacked`,
    ...(lines.length > 0
      ? lines
      : ['', diff.same ? 'The content is the same.' : 'Only what the packer noted in ZAPP-INF differs.']),
  ]
}

/** The sections of `inspect`, row against row. Of routes it does not show all, and shows headers in their order. */
function describedSections(before: Manifest, after: Manifest, { routes }: ArchiveDiff) {
  const [old, now] = [before, after].map((manifest) => [...shapeSections(manifest), ...needsSections(manifest)])
  const patterns = new Set(routes.map(({ key }) => safeText(key)))
  return old!.map(({ title, rows }, i) => {
    const compared = compareRows(rows, now![i]!.rows)
    if (title !== 'routes') return { title, rows: compared }
    return { title, rows: [...compared.filter(([, name]) => patterns.has(name)), ...routes.flatMap(headerRows)] }
  })
}

/** Headers of a route that have another value. Of those that came or went, the names are shown with the route. */
function headerRows({ key, old, new: now }: ValueChange): Row[] {
  const [a, b] = [old, now].map((route) => (route as { headers?: Record<string, string> } | undefined)?.headers ?? {})
  return Object.entries(a!).flatMap(([name, value]): Row[] => {
    const other = b![name]
    return other === undefined || other === value
      ? []
      : [['~', safeText(key), safeText(name), safeText(change(value, other))]]
  })
}

/** Settings that {@link describedSections} tells. */
const DESCRIBED = /^(?:data\.|entries\.[^.]+\.(?:type|module|export|run|app|factory|scripts|websocket)|entries\.[^.]+$)/

function compareRows(before: Section['rows'], after: Section['rows']): Row[] {
  const [old, now] = [before, after].map((rows) => new Map(rows.map(([name = '', ...cells]) => [name, cells])))
  return [...new Set([...old!.keys(), ...now!.keys()])].flatMap((name): Row[] => {
    const [a, b] = [old!.get(name), now!.get(name)]
    if (a === undefined) return [['+', name, ...b!]]
    if (b === undefined) return [['-', name, ...a]]
    if (String(a) === String(b)) return []
    const width = Math.max(a.length, b.length)
    return [['~', name, ...Array.from({ length: width }, (_, i) => change(a[i] ?? '', b[i] ?? ''))]]
  })
}

function nativeRow({ key, old }: ValueChange): Row {
  return [old === undefined ? '+' : '-', safeText(key.replace('native.', ''))]
}
