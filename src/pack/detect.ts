import { readFileSync, statSync } from 'node:fs'
import { basename, join, posix } from 'node:path'
import { minVersion, valid } from 'semver'
import { type ModuleShape, moduleShape } from './detect-listener.ts'
import { type PackageJson, readPackageJson } from './package-json.ts'

/** What a project without zapp.json looks like. */
export interface Detection {
  /** The suggested zapp.json: JSON text ending in a newline. */
  readonly suggestion: string
  /** What was found and in which file, one sentence each. */
  readonly because: readonly string[]
  /** Set where Zapp would have to guess: why, as the end of "the project must have a zapp.json, …". */
  readonly doubt?: string
}

/**
 * Looks at a project folder, runs none of its code, and suggests a manifest. Sure of itself with a module that exports
 * an Express app, a (req, res) function or an http.Server, and with a folder of files around an index.html.
 */
export async function detectProject(dir: string): Promise<Detection> {
  const json = readPackageJson(dir)
  const modules = findModules(dir, json)
  const identity = { zapp: 1, name: appName(json?.name ?? basename(dir)), version: valid(json?.version) ?? '0.0.0' }
  const result = modules.length > 0 ? detectNode(modules, json) : detectStatic(dir, json)
  const { manifest, because, doubt } = result
  return {
    suggestion: `${JSON.stringify({ ...identity, ...manifest }, undefined, 2)}\n`,
    because,
    ...(doubt === undefined ? {} : { doubt }),
  }
}

interface Guess {
  readonly manifest: object
  readonly because: readonly string[]
  readonly doubt?: string
}

interface Module {
  readonly path: string
  /** How it was come upon. */
  readonly because: string
  readonly shape: ModuleShape
}

function detectNode(modules: readonly Module[], json: PackageJson | undefined): Guess {
  const found = modules.find(({ shape }) => shape.listener && !shape.listens)
  const engine = nodeRange(json)
  const needs = engine ? { dependencies: { runtime: { node: engine } } } : {}
  if (!found) return noListener(modules[0]!, modules, needs)

  const { path, shape } = found
  const sockets = ['ws', 'socket.io', 'express-ws', 'websocket'].find((name) => json && name in json.dependencies)
  const websocket = shape.listener === 'an http.Server' && sockets ? { websocket: true } : {}
  const manifest = { entry: { type: 'node', module: path, ...websocket }, ...needs }
  const because = [
    found.because,
    `${path} exports ${shape.listener}: ${shape.statement}`,
    ...(engine ? [`package.json asks for Node ${json?.engines?.node}`] : []),
  ]
  const rivals = modules.filter(
    (m) => m !== found && m.because === found.because && m.shape.listener && !m.shape.listens,
  )
  if (rivals[0]) return { manifest, because, doubt: `${path} and ${rivals[0].path} both export a listener` }
  if (sockets && shape.listener !== 'an http.Server') {
    return { manifest, because, doubt: `it uses ${sockets}, but ${path} exports no server that WebSockets could reach` }
  }
  return { manifest, because }
}

function noListener(first: Module, modules: readonly Module[], needs: object): Guess {
  const both = modules.find(({ shape }) => shape.listener)
  if (both) {
    const { path, shape } = both
    const doubt = `${path} exports ${shape.listener} but also listens by itself when it is loaded: call listen only where "require.main === module", or keep the entry of type "server"`
    return { manifest: serverEntry(path, needs), because: [both.because], doubt }
  }
  const server = modules.find(({ shape }) => shape.listens) ?? first
  const doubt = server.shape.listens
    ? `${server.path} listens by itself and exports no listener: it is an entry of type "server"`
    : `${server.path} exports no listener that could be recognised`
  return { manifest: serverEntry(server.path, needs), because: [server.because], doubt }
}

function serverEntry(path: string, needs: object): object {
  return { entry: { type: 'server', run: ['{node}', path] }, ...needs }
}

/** Where static sites are, in the projects of many tools. */
const SITE_FOLDERS = ['public', 'dist', 'build', 'out', '_site', 'site', 'www', 'htdocs']

function detectStatic(dir: string, json: PackageJson | undefined): Guess {
  const sites = SITE_FOLDERS.filter((folder) => isFile(join(dir, folder, 'index.html')))
  const manifest = { routes: { '/': { static: sites[0] ?? 'public' } } }
  const because = sites.map((folder) => `${folder}/index.html makes ${folder} a static site`)
  if (sites.length > 1) return { manifest, because, doubt: `${sites.join(' and ')} both hold an index.html` }
  if (sites[0] === undefined) {
    const doubt = isFile(join(dir, 'index.html'))
      ? 'index.html lies in the project’s root, where every other file would become public with it: move the site to a folder such as public'
      : 'it has no module named by package.json, no app.js, server.js or index.js, and no public/index.html'
    return { manifest, because, doubt }
  }
  if (json && 'build' in json.scripts) {
    const doubt = `package.json has a build script: whether ${sites[0]} is its up-to-date output, and for which base path, cannot be seen`
    return { manifest, because, doubt }
  }
  return { manifest, because }
}

/**
 * Modules that may be the app, the likeliest first: what package.json names, what those load, and only where it names
 * nothing the customary file names.
 */
function findModules(dir: string, json: PackageJson | undefined): Module[] {
  const modules: Module[] = []
  const add = (path: string | undefined, because: (path: string) => string) => {
    const file = path === undefined ? undefined : resolveModule(dir, path)
    if (file === undefined || modules.some((m) => m.path === file)) return
    modules.push({ path: file, because: because(file), shape: moduleShape(readFileSync(join(dir, file), 'utf8')) })
  }
  add(json?.main, (path) => `package.json names ${path} as "main"`)
  const start = /^\s*(?:[A-Z_]+=\S+\s+)*node\s+(?:--?\S+\s+)*(?<file>[^\s-]\S*)/.exec(json?.scripts.start ?? '')
  add(start?.groups?.file, (path) => `package.json starts ${path}`)
  for (const { path, shape } of [...modules]) {
    for (const name of shape.imports) add(posix.join(posix.dirname(path), name), (file) => `${path} loads ${file}`)
  }
  if (modules.length === 0) {
    const names = ['app', 'server', 'index'].flatMap((name) => [name, `src/${name}`])
    for (const name of names) add(name, () => 'package.json names no other module')
  }
  return modules
}

/** As `require` resolves it: the file, with an extension, a folder's index. Only inside the project. */
function resolveModule(dir: string, path: string): string | undefined {
  const base = posix.normalize(path)
  if (base.startsWith('..') || base.startsWith('/')) return undefined
  const ends = ['', '.js', '.cjs', '.mjs', '/index.js', '/index.cjs', '/index.mjs']
  return ends.map((end) => `${base}${end}`).find((file) => isScript(dir, file))
}

/** `bin/www` has no extension; a JSON file or a style sheet that a module loads is not a module. */
function isScript(dir: string, file: string): boolean {
  return /(?:^|\/)[^./]+$|\.[cm]?js$/.test(file) && isFile(join(dir, file))
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

/** The lowest Node version of `engines`: a manifest's range cannot say "^20 || ^22". */
function nodeRange(json: PackageJson | undefined): string | undefined {
  const { node } = json?.engines ?? {}
  let lowest: ReturnType<typeof minVersion>
  try {
    lowest = node === undefined ? null : minVersion(node)
  } catch {
    return undefined
  }
  if (!lowest || lowest.major === 0) return undefined
  const { major, minor, patch } = lowest
  return `>=${major}${patch > 0 ? `.${minor}.${patch}` : minor > 0 ? `.${minor}` : ''}`
}

/** A name that a manifest may have: without the scope, in lower case. */
function appName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/^@[^/]*\//, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 64)
  return plain || 'app'
}
