import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { type Finding, fail, finding } from '../../errors.ts'
import { isPublished, parseRequirement, type Requirement } from './requirement.ts'

/** A requirements.txt with those that it includes, as one list that pip can read from anywhere. */
export interface RequirementsFile {
  /** Options (`--find-links …`) and requirements, each as pip takes it. */
  readonly lines: readonly string[]
  /** The same of what limits versions without asking for packages. */
  readonly constraints: readonly string[]
  readonly requirements: readonly Requirement[]
  /** Extras of the project itself that `-e .[extra]` asks for; undefined where it is not listed. */
  readonly self?: readonly string[]
  /** DEP_SOURCE: what is no published package. */
  readonly findings: readonly Finding[]
}

const INCLUDE = /^(?:-r|--requirement)(?:\s*=\s*|\s+|(?=[^\s=-]))(?<file>.+)$/
const CONSTRAINT = /^(?:-c|--constraint)(?:\s*=\s*|\s+|(?=[^\s=-]))(?<file>.+)$/
const EDITABLE = /^(?:-e|--editable)(?:\s*=\s*|\s+)(?<what>.+)$/
const FIND_LINKS = /^(?:-f|--find-links)(?:\s*=\s*|\s+)(?<where>.+)$/
/** Options that change where packages come from, or which; others, `--no-binary` above all, would have pip build some. */
const OPTION =
  /^(?:-i|--(?:index-url|extra-index-url|no-index|pre|prefer-binary|require-hashes|trusted-host|only-binary|use-feature))(?:[\s=]|$)/
const SELF = /^\.\/?(?:\[(?<extras>[^\]]*)\])?$/
const VCS = /^(?:[\w.[\]-]+\s*@\s*)?(?:git|hg|svn|bzr)\+/

/**
 * Reads requirements as pip does (https://pip.pypa.io/en/stable/reference/requirements-file-format/). Folders, checkouts
 * and source archives are refused before pip sees them: to get at what they need, it would run their code.
 *
 * @param file below `root`
 * @throws ZappError IO
 */
export function readRequirements(root: string, file: string): RequirementsFile {
  const lists = { lines: [] as string[], constraints: [] as string[] }
  const requirements: Requirement[] = []
  const findings: Finding[] = []
  let self: string[] | undefined
  const seen = new Set<string>()

  const read = (path: string, list: keyof typeof lists): void => {
    if (seen.has(path)) return
    seen.add(path)
    const shown = relative(root, path).replaceAll(sep, '/')
    const lines = lists[list]
    for (const { text, line } of logicalLines(contentOf(path, shown))) {
      const from = (name: string) => resolve(dirname(path), unquoted(name))
      const foreign = (what: string) => {
        findings.push({ ...finding('DEP_SOURCE', shown, { requirement: what }), line })
      }
      const include = INCLUDE.exec(text)?.groups?.file
      const constraint = CONSTRAINT.exec(text)?.groups?.file
      const links = FIND_LINKS.exec(text)?.groups?.where
      const what = EDITABLE.exec(text)?.groups?.what?.trim() ?? text
      const own = SELF.exec(unquoted(what))?.groups
      if (include !== undefined) read(from(include), list)
      else if (constraint !== undefined) read(from(constraint), 'constraints')
      else if (links !== undefined) lines.push(`--find-links ${isAddress(links) ? links : from(links)}`)
      else if (own && dirname(path) === root) self = [...(self ?? []), ...extrasOf(own.extras)]
      else if (OPTION.test(text)) lines.push(text)
      else if (what !== text || VCS.test(text) || text.startsWith('-')) foreign(what)
      else {
        const plain = text.replace(/\s--[\w-]+[=\s].*$/, '')
        const parsed = isPath(plain) ? undefined : parseRequirement(plain)
        if (!parsed || !isPublished(parsed)) foreign(plain)
        else {
          lines.push(text)
          if (list === 'lines') requirements.push(parsed)
        }
      }
    }
  }
  read(join(root, file), 'lines')
  return { ...lists, requirements, findings, ...(self ? { self } : {}) }
}

/** Lines without comments, continued ones joined, with the number of the first. */
function* logicalLines(content: string): Generator<{ text: string; line: number }> {
  let text = ''
  let first = 0
  for (const [i, raw] of content.split(/\r\n|\r|\n/).entries()) {
    if (text === '') first = i + 1
    const more = raw.endsWith('\\') && !/^\s*#/.test(raw)
    text += more ? `${raw.slice(0, -1)} ` : raw
    if (more) continue
    const plain = text.replace(/(?:^|\s)#.*$/, '').trim()
    if (plain !== '') yield { text: plain, line: first }
    text = ''
  }
}

function contentOf(path: string, shown: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\ufeff/, '')
  } catch (error) {
    throw fail('IO', shown, { operation: 'reading it', reason: (error as Error).message }, error)
  }
}

function extrasOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((extra) => extra.trim())
    .filter((extra) => extra !== '')
}

function isAddress(text: string): boolean {
  return /^[a-z][a-z0-9+.-]+:/i.test(text)
}

function isPath(text: string): boolean {
  return /^[./~]|^[a-z][a-z0-9+.-]*:|^[^\s;[=<>!~@]*[/\\]|\.(?:whl|zip|tar\.gz|tgz)$/i.test(text) || isAbsolute(text)
}

function unquoted(text: string): string {
  return text.trim().replace(/^(["'])(.*)\1$/, '$2')
}
