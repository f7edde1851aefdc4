import type { CacheRule, ConfigVar, Entry, Manifest, Route } from '../format/manifest-types.ts'
import { safeText } from './safe-text.ts'
import { renderTable } from './table.ts'
import type { Style } from './ui.ts'
import { wrap } from './wrap.ts'

/** A heading and the rows of its table. */
export interface Section {
  readonly title: string
  readonly rows: readonly (readonly string[])[]
}

/** `shop 1.2.0`. */
export function identity(manifest: Manifest): string {
  return `${safeText(manifest.name)} ${safeText(manifest.version)}`
}

/** Entries and routes: what the app is. A static app has no entries. */
export function shapeSections(manifest: Manifest): Section[] {
  return [
    { title: 'entries', rows: [...manifest.entries.values()].map(entryRow) },
    { title: 'routes', rows: manifest.routes.map(routeRow) },
  ]
}

/** What must be there before the app can run, and what it keeps outside of the archive. */
export function needsSections(manifest: Manifest): Section[] {
  const { runtime, commands, provided } = manifest.dependencies
  const needs: string[][] = []
  for (const [name, range] of Object.entries(runtime)) {
    if (range !== undefined) needs.push([name, range.text])
  }
  for (const command of commands) needs.push([command, 'on PATH'])
  for (const [language, packages] of Object.entries(provided)) {
    for (const name of packages) needs.push([name, `${language} package, supplied by the container`])
  }
  if (manifest.base !== 'any') needs.push(['mount', manifest.base])
  return [
    { title: 'needs', rows: safe(needs) },
    { title: 'config', rows: safe([...manifest.config.values()].map(configRow)) },
    { title: 'data', rows: safe([...manifest.data.values()].map((d) => [d.name, d.path, d.env ? `→ ${d.env}` : ''])) },
  ]
}

/** Sections with rows, one below the other: the title stands in front of its first row. */
export function renderSections(sections: readonly Section[], style: Style): string[] {
  const filled = sections.filter(({ rows }) => rows.length > 0)
  const titleWidth = Math.max(...filled.map(({ title }) => title.length))
  const indent = ' '.repeat(titleWidth + 4)
  return filled.flatMap(({ title, rows }) => {
    const lines = renderTable(rows, { indent: 0 }).flatMap((line) => wrap(line, style.width, indent, `${indent}  `))
    const [first = '', ...rest] = lines
    return [`  ${style.dim(title.padEnd(titleWidth))}  ${first.slice(indent.length)}`, ...rest]
  })
}

function safe(rows: readonly (readonly string[])[]): string[][] {
  return rows.map((row) => row.map(safeText))
}

function entryRow(entry: Entry): string[] {
  return [entry.name, entry.type, safeText(entryCode(entry)), entry.websocket ? 'websocket' : '']
}

function entryCode(entry: Entry): string {
  switch (entry.type) {
    case 'node':
    case 'fetch':
      return entry.export === undefined ? entry.module : `${entry.module} (${entry.export})`
    case 'server':
      return entry.run.join(' ')
    case 'wsgi':
    case 'asgi':
      return entry.factory ? `${entry.app}()` : entry.app
    case 'cgi':
      return 'dir' in entry.scripts ? `${entry.scripts.dir}/` : entry.scripts.script
  }
}

function routeRow(route: Route): string[] {
  const notes = [
    ...(route.cache === undefined ? [] : [cacheText(route.cache)]),
    ...(route.strip ? ['strip'] : []),
    ...(route.websocket ? ['websocket'] : []),
    ...(route.unpack ? [] : ['not unpacked']),
    ...route.headers.map(([name]) => name),
  ]
  return [route.pattern.text, targetText(route), notes.join(', ')].map(safeText)
}

function targetText({ target }: Route): string {
  switch (target.kind) {
    case 'entry':
      return `entry ${target.entry}`
    case 'redirect':
      return `${target.status} to ${target.to}`
    case 'static':
      if (target.else === undefined) return `static ${target.path}`
      return `static ${target.path}, else ${'entry' in target.else ? `entry ${target.else.entry}` : target.else.file}`
  }
}

function cacheText(cache: CacheRule): string {
  if (typeof cache === 'string') return cache
  const units = [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
  ] as const
  const [unit, size] = units.find(([, size]) => cache.seconds > 0 && cache.seconds % size === 0) ?? ['s', 1]
  return `${cache.seconds / size}${unit}`
}

function configRow(variable: ConfigVar): string[] {
  const notes = [
    variable.values.length > 0 ? variable.values.join(' | ') : variable.type,
    ...(variable.required ? ['required'] : []),
    ...(variable.secret ? ['secret'] : []),
    ...(variable.default === undefined
      ? []
      : [`default ${variable.type === 'string' ? JSON.stringify(variable.default) : variable.default}`]),
  ]
  return [variable.name, notes.join(', '), variable.description ?? '']
}
