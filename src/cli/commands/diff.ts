import { openArchive } from '../../archive/archive.ts'
import {
  type ArchiveDiff,
  diffArchives,
  type FileChange,
  type PackageChange,
  type ValueChange,
} from '../../archive/diff.ts'
import { type CliCommand, helpText, JSON_OPTION } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { formatBytes, formatCount } from '../format.ts'
import { about } from '../report.ts'
import { safeText } from '../safe-text.ts'
import { archiveSubject } from '../subject.ts'
import { renderTable } from '../table.ts'
import type { Ui } from '../ui.ts'

/** Files listed by name in each group; `--json` has them all. */
const SHOWN_FILES = 10

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
    const [before, after] = [await open(ui, oldFile), await open(ui, newFile)]
    try {
      const result = await diffArchives(before, after)
      if (ui.json) {
        ui.data({ ...result, old: { file: oldFile, ...result.old }, new: { file: newFile, ...result.new } })
      } else ui.out(...render(result, ui))
      return EXIT.done
    } finally {
      await Promise.all([before.close(), after.close()])
    }
  },
}

function open(ui: Ui, file: string) {
  return about(archiveSubject(ui, file), () => openArchive(ui.path(file)))
}

function render(diff: ArchiveDiff, { paint }: Ui): string[] {
  const { old, new: now } = diff
  const name = (side: ArchiveDiff['old']) => safeText(`${side.name} ${side.version}`)
  const lines = [
    paint.bold(`${name(old)} → ${name(now)}`),
    `${formatBytes(old.bytes)} → ${formatBytes(now.bytes)} (${signed(now.bytes - old.bytes)}), ` +
      `${formatCount(old.files, 'file')} → ${formatCount(now.files, 'file')}, ` +
      `${formatBytes(old.size)} → ${formatBytes(now.size)} unpacked`,
  ]
  if (diff.same) return [...lines, '', 'The content is the same.']

  const section = (title: string, rows: readonly (readonly string[])[]) => {
    if (rows.length === 0) return
    const table = renderTable(rows.map((row) => row.map(safeText)))
    lines.push('', paint.dim(title), ...table.map((line, i) => colored(paint, rows[i]?.[0], line)))
  }
  section('routes', diff.routes.map(valueRow))
  section('needs', diff.needs.map(valueRow))
  section('settings', diff.settings.map(valueRow))
  section('packages', diff.packages.map(packageRow))
  section('files', [
    ...fileRows('+', diff.files.added),
    ...fileRows('-', diff.files.removed),
    ...fileRows('~', diff.files.changed),
  ])
  return lines
}

function colored(paint: Ui['paint'], sign: string | undefined, line: string): string {
  if (sign === '+') return paint.green(line)
  return sign === '-' ? paint.red(line) : paint.yellow(line)
}

function valueRow(change: ValueChange): string[] {
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
  if (!('old' in change)) return ['+', change.key, text(change.new)]
  if (!('new' in change)) return ['-', change.key, text(change.old)]
  return ['~', change.key, `${text(change.old)} → ${text(change.new)}`]
}

function packageRow({ name, old, new: now, licenses }: PackageChange): string[] {
  const license = licenses ? `${licenses.old.join(', ') || 'none'} → ${licenses.new.join(', ')}` : ''
  if (old.length === 0) return ['+', name, now.join(', '), licenses?.new.join(', ') ?? '']
  if (now.length === 0) return ['-', name, old.join(', ')]
  return ['~', name, old.join() === now.join() ? now.join(', ') : `${old.join(', ')} → ${now.join(', ')}`, license]
}

function fileRows(sign: string, files: readonly FileChange[]): string[][] {
  const rows = files.slice(0, SHOWN_FILES).map(({ path, oldSize = 0, newSize = 0, mode }) => {
    const size = sign === '+' ? formatBytes(newSize) : sign === '-' ? formatBytes(oldSize) : signed(newSize - oldSize)
    return [sign, path, size, mode ? `${mode.old} → ${mode.new}` : '']
  })
  const more = files.length - SHOWN_FILES
  if (more > 0) rows.push([sign, `and ${more.toLocaleString('en-US')} more`])
  return rows
}

function signed(bytes: number): string {
  return `${bytes < 0 ? '−' : '+'}${formatBytes(Math.abs(bytes))}`
}
