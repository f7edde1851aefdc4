import { readFileSync } from 'node:fs'
import { secretByName } from '../archive/secrets.ts'
import { type Finding, finding, warning } from '../errors.ts'
import { type EntryPath, judgePath } from '../format/entry-path.ts'
import { type Fault, isFault } from '../format/fault.ts'
import { DEFAULT_LIMITS } from '../format/limits.ts'
import { NameTable } from '../format/name-table.ts'
import { ignoreLine } from './ignore.ts'
import type { LeftOut, PlannedFile } from './plan.ts'
import { contentOf } from './read-file.js'

/** What Zapp itself writes beside the planned files. */
const ADDED = ['mimetype', 'zapp.json', 'ZAPP-INF/sbom.cdx.json', 'ZAPP-INF/build.json', 'ZAPP-INF/contents.json']

/** Names that a reader would refuse (rules A and B of FORMAT.md), each with the line that leaves it out. */
export function judgeNames(files: readonly PlannedFile[], folders: readonly string[]): Finding[] {
  const table = new NameTable()
  for (const name of ADDED) table.add(name as EntryPath)
  const findings: Finding[] = []
  const add = (path: string, fault: Fault) => {
    findings.push(finding(fault.code, path, { ...fault.args, hint: ` (add the line ${ignoreLine(path)})` }))
  }
  for (const path of [...folders, ...files.map((file) => file.path)]) {
    // A bad folder would be reported again for everything in it.
    if (findings.some((f) => f.path.endsWith('/') && path.startsWith(f.path))) continue
    const judged = judgePath(path)
    const fault = isFault(judged) ? judged : table.add(judged)
    if (fault) add(path, fault)
  }
  return findings
}

export function findSecrets(files: readonly PlannedFile[], allowed: readonly string[]): Finding[] {
  return files.flatMap(({ path, size, source }) => {
    const read = () => (typeof source === 'string' ? readFileSync(source) : contentOf(source, size))
    const what = allowed.includes(path) ? undefined : secretByName(path, size, read)
    return what === undefined ? [] : [finding('SECRET', path, { what, name: path })]
  })
}

/** Names that were allowed and are no file of the archive: most are typing errors, or left out all the same. */
export function unusedAllowances(
  allowed: readonly string[],
  files: readonly PlannedFile[],
  leftOut: readonly LeftOut[],
): Finding[] {
  const names = new Set(files.map(({ path }) => path))
  return allowed
    .filter((name) => !names.has(name))
    .map((name) => {
      const out = leftOut.find(({ path }) => path === name || (path.endsWith('/') && name.startsWith(path)))
      const hint = out ? `, which the pattern ${out.rule} (${out.from}) leaves out` : ''
      const fix = out
        ? `To pack it, take it back in .zappignore with the line !/${out.path}, or leave the option out.`
        : 'Write its path as it stands in the archive: zapp pack --dry-run lists them.'
      return warning('ALLOW_UNUSED', name, { name, hint, fix })
    })
}

/** What would exceed the limits of every reader, before any time is spent on it. */
export function checkSizes(files: readonly PlannedFile[], folders: readonly string[], total: number): Finding[] {
  const { entries, fileBytes, totalBytes } = DEFAULT_LIMITS
  const count = files.length + folders.length + ADDED.length
  return [
    ...(count > entries ? [finding('TOO_MANY', '', { limit: entries, got: count })] : []),
    ...(total > totalBytes ? [finding('TOTAL', '', { limit: totalBytes, got: total })] : []),
    ...files
      .filter(({ size }) => size > fileBytes)
      .map(({ path, size }) => finding('FILE', path, { limit: fileBytes, got: size })),
  ]
}
