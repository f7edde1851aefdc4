import ignore from 'ignore'
import { IgnoreRules } from './ignore.ts'
import type { Package } from './package-graph.ts'
import type { PackageJson } from './package-json.ts'
import type { Placement } from './relay.ts'
import { type FoundTree, walkTree } from './walk-tree.ts'

/**
 * The files of a package at its place in the archive, with paths as they will be there.
 *
 * A published package ships as it is: all but its node_modules (its packages have places of their own) and what package
 * managers keep in such folders. A linked one (workspace member, `file:`) ships what publishing it would give: its
 * `files` list if it has one, less the default ignores and those of its own `.zappignore`.
 */
export function packageFiles({ path, pkg }: Placement, project: IgnoreRules): FoundTree {
  const ships = pkg.linked ? linkedContent(pkg) : { accept: published }
  const tree = walkTree(pkg.real, {
    ...ships,
    accept: (name) => ships.accept(name) && !project.dependency(`${path}/${name}`),
  })
  const within = (name: string) => `${path}/${name}`
  // As npm has it, a package ships no empty folders.
  const used = new Set(tree.files.flatMap((file) => parents(file.path)))
  return {
    files: tree.files.map((file) => ({ ...file, path: within(file.path) })),
    folders: [`${path}/`, ...tree.folders.filter((folder) => used.has(folder)).map(within)],
    findings: tree.findings.map((f) => ({ ...f, path: within(f.path) })),
  }
}

/** "a/b/c" → "a/", "a/b/". */
function parents(path: string): string[] {
  return [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index + 1))
}

// `.bin` holds links for the shell, the others are notes of package managers.
const NOTES = /(?:^|\/)node_modules\/(?:\.bin\/|\.cache\/|\.package-lock\.json|\.yarn-integrity|\.modules\.yaml)$/

function published(name: string): boolean {
  return name !== 'node_modules/' && !NOTES.test(name)
}

function linkedContent(pkg: Package) {
  const rules = new IgnoreRules()
  const listed = filesList(pkg.json)
  return {
    enter: (prefix: string, folder: string) => rules.read(folder, prefix.slice(0, -1)),
    accept(name: string) {
      if (name.endsWith('/node_modules/') || name === 'node_modules/' || rules.own(name)) return false
      return name.endsWith('/') || !listed || listed(name)
    },
  }
}

/** The `files` key of package.json as npm reads it: patterns tied to the package's root, and what always ships. */
function filesList(json: PackageJson): ((name: string) => boolean) | undefined {
  if (!json.files) return undefined
  const patterns = json.files.map((pattern) => {
    const [, not = '', body = ''] = /^(!?)(?:\.?\/)?(.*)$/.exec(pattern) ?? []
    return `${not}/${body}`
  })
  const named = [json.main ?? 'index.js', ...json.bin].map((file) => file.replace(/^\.?\//, ''))
  const always = new Set(named.flatMap((file) => [file, `${file}.js`, `${file}/index.js`]))
  const matcher = ignore({ ignorecase: false }).add(patterns)
  return (name) =>
    matcher.ignores(name) || always.has(name) || /^(?:package\.json$|readme|licen[cs]e|notice)[^/]*$/i.test(name)
}
