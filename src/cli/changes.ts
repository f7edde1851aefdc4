import type { ArchiveDiff, FileChange, PackageChange, ValueChange } from '../archive/diff.ts'
import { formatBytes, formatCount } from './format.ts'
import { safeText } from './safe-text.ts'
import { renderTable } from './table.ts'
import type { Style } from './ui.ts'
import { wrap } from './wrap.ts'

/** Files listed by name in each group; `--json` has them all. */
const SHOWN_FILES = 10

/** A difference between two archives, a section a subject, without what `inspect` says of either. */
export function renderChanges(diff: ArchiveDiff, style: Style): string[] {
  const sections = [
    ['routes', diff.routes.map(valueRow)],
    ['needs', diff.needs.map(valueRow)],
    ['settings', diff.settings.map(valueRow)],
    ['packages', diff.packages.map(packageRow)],
    ['files', fileRows(diff.files)],
  ] as const
  return sections.flatMap(([title, rows]) => (rows.length > 0 ? [style.dim(title), ...renderRows(rows, style)] : []))
}

/** A sign, what it is about, and cells of what is to be said. */
export type Row = readonly [sign: '+' | '-' | '~', name: string, ...cells: string[]]

export function change(old: string, now: string): string {
  return old === now ? old : `${old || 'none'} → ${now || 'none'}`
}

export function valueRow({ key, old, new: now }: ValueChange): Row {
  const [a, b] = [valueText(old, key), valueText(now, key)].map(safeText)
  if (old === undefined) return ['+', safeText(key), b!]
  if (now === undefined) return ['-', safeText(key), a!]
  return ['~', safeText(key), change(a!, b!)]
}

/** `type server, run {node} server.js` for an object: what is false or empty is left out. Durations are in ms. */
function valueText(value: unknown, key: string): string {
  if (Array.isArray(value)) return value.map((item) => valueText(item, '')).join(' ')
  if (typeof value === 'number' && /(?:^|\.)(?:timeout|every)$/.test(key)) return `${value / 1000} s`
  if (typeof value !== 'object' || value === null) return String(value)
  const members = Object.entries(value).map(([name, member]) => [name, member === false ? '' : valueText(member, name)])
  return members.flatMap(([name, text]) => (text === '' ? [] : [`${name} ${text}`])).join(', ')
}

export function packageRow({ name, old, new: now, licenses }: PackageChange): Row {
  const [versions, license] = [
    [old, now],
    [licenses.old, licenses.new],
  ].map(([a, b]) => [a, b].map((list) => safeText(list!.join(', '))))
  if (old.length === 0) return ['+', safeText(name), versions![1]!, license![1]!]
  if (now.length === 0) return ['-', safeText(name), versions![0]!, license![0]!]
  return ['~', safeText(name), change(versions![0]!, versions![1]!), change(license![0]!, license![1]!)]
}

/** The app's own files by name, those of packages as a number: the packages themselves are told. */
export function fileRows({ added, removed, changed }: ArchiveDiff['files']): Row[] {
  const groups = [
    ['+', added],
    ['-', removed],
    ['~', changed],
  ] as const
  const own = groups.flatMap(([sign, files]) =>
    ownFileRows(
      sign,
      files.filter(({ path }) => !isOfPackage(path)),
    ),
  )
  const counts = groups.map(([sign, files]) => [sign, files.filter(({ path }) => isOfPackage(path)).length] as const)
  return [
    ...own,
    ...counts
      .filter(([, count]) => count > 0)
      .map(([sign, count]): Row => [sign, `${formatCount(count, 'file')} of packages`]),
  ]
}

function isOfPackage(path: string): boolean {
  return /(?:^|\/)node_modules\/|^ZAPP-INF\//.test(path)
}

function ownFileRows(sign: Row[0], files: readonly FileChange[]): Row[] {
  const rows = files.slice(0, SHOWN_FILES).map(({ path, oldSize = 0, newSize = 0, mode }): Row => {
    const size = sign === '+' ? formatBytes(newSize) : sign === '-' ? formatBytes(oldSize) : resized(oldSize, newSize)
    return [sign, safeText(path), size, mode ? change(mode.old, mode.new) : '']
  })
  const more = files.length - SHOWN_FILES
  return more > 0 ? [...rows, [sign, `and ${more.toLocaleString('en-US')} more`]] : rows
}

function resized(old: number, now: number): string {
  return old === now ? 'same size' : signed(now - old)
}

export function signed(bytes: number): string {
  return `${bytes < 0 ? '−' : '+'}${formatBytes(Math.abs(bytes))}`
}

/** A line that is too long goes on below, further to the right. */
export function renderRows(rows: readonly Row[], style: Style): string[] {
  const colors = { '+': style.green, '-': style.red, '~': style.yellow }
  const cells = rows.map(([sign, name, ...rest]) => [`${sign} ${name}`, ...rest])
  return renderTable(cells, { indent: 0 }).flatMap((line, i) =>
    wrap(line, style.width, '  ', '      ').map((part) => colors[rows[i]![0]](part)),
  )
}
