import type { Archive } from '../archive/archive.ts'
import { type Finding, finding } from '../errors.ts'
import { noScript, scriptPaths } from './cgi-scripts.ts'
import type { Container } from './container.ts'

/** Scripts are shorter. What is longer is a program, and only whole files can be read. */
const MAX_SCRIPT = 2 ** 20

/**
 * What keeps CGI scripts from being started: NEED_COMMAND for a program that a first line names and this machine has not
 * (FORMAT.md §CGI, G15), ENTRY_LOAD for a first line that no system can read, and where an entry has no script at all. The
 * first request would find out too, but not the one who deploys.
 */
export async function checkInterpreters(archive: Archive, container: Container): Promise<Finding[]> {
  const { manifest, entries } = archive
  const findings: Finding[] = []
  const programs = new Map<string, string>()
  for (const entry of manifest.entries.values()) {
    if (entry.type !== 'cgi') continue
    const paths = scriptPaths(entry, entries)
    if (paths.length === 0) findings.push(noScript(entry))
    for (const path of paths) {
      const file = entries.get(path)!
      if (file.size > MAX_SCRIPT) continue
      const line = firstLine(await archive.read(file))
      const program = interpreterIn(line)
      if (program?.endsWith('\r')) findings.push(finding('ENTRY_LOAD', path, { module: path, reason: CR_LF }))
      else if (program !== undefined && !programs.has(program)) programs.set(program, path)
    }
  }
  const found = await Promise.all([...programs.keys()].map((program) => container.hasCommand(program)))
  const missing = [...programs].filter((_, i) => !found[i])
  return [...findings, ...missing.map(([command, path]) => finding('NEED_COMMAND', path, { command }))]
}

const CR_LF =
  'its first line ends with CR LF, and the system takes the CR for a part of the program’s name: save it with LF'

/** The program that a first line names: a path, or the name that `env` looks for. Undefined: it names none. */
export function interpreterIn(line: string): string | undefined {
  const [file, ...words] = /^#![ \t]*(.+)$/s.exec(line)?.[1]?.split(/[ \t]+/) ?? []
  if (file === undefined || !file.endsWith('/env')) return file
  // `env` takes options, `-S` among them, and variables to set.
  return words.find((word) => word !== '' && !word.startsWith('-') && !word.includes('='))
}

function firstLine(bytes: Uint8Array): string {
  const end = bytes.indexOf(0x0a)
  return Buffer.from(bytes.subarray(0, end === -1 ? bytes.length : end)).toString('utf8')
}
