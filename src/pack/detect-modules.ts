import { posix } from 'node:path'
import { parseCommand } from './detect-command.ts'
import { FETCH_KINDS, type ModuleShape, moduleShape } from './detect-listener.ts'
import { type Guess, nodeProgram, type Project } from './detect-project.ts'

interface Module {
  readonly path: string
  /** How it was come upon. */
  readonly because: string
  readonly shape: ModuleShape
}

interface Modules {
  /** The likeliest first. */
  readonly all: readonly Module[]
  /** What `npm start` starts. */
  readonly started?: Module
  /** Its environment, and what stands after `node`. */
  readonly command?: { readonly env: Readonly<Record<string, string>>; readonly args: readonly string[] }
}

/** Modules that export a listener or listen: plain http, Express, Fastify, Koa, Hono. */
export function detectModules(project: Project): Guess | undefined {
  const modules = findModules(project)
  const exported = modules.all.filter(({ shape }) => shape.listener && !shape.listens)
  const listening = modules.all.filter(({ shape }) => shape.listens)
  const program = modules.started?.shape.listens ? modules.started : listening[0]
  const sockets = socketsOf(project, modules.all)
  const found = exported[0]
  if (!found) return program && serverOf(program, modules, sockets)

  const { path, shape } = found
  const because = [found.because, `${path} exports ${shape.listener}: ${shape.statement}`]
  const manifest = { entry: { type: FETCH_KINDS.has(shape.listener ?? '') ? 'fetch' : 'node', module: path } }
  const rival = exported.find((m) => m !== found && m.because === found.because)
  if (rival) return { manifest, because, doubt: `${path} and ${rival.path} both export a listener` }
  if (sockets === undefined) return { manifest, because }
  const seen = `${sockets.path} loads ${sockets.name}, for WebSockets`
  if (shape.listener === 'an http.Server') {
    return { manifest: { entry: { ...manifest.entry, websocket: true } }, because: [...because, seen] }
  }
  // Only the program has a server that they could be attached to.
  if (program) return serverOf(program, modules, sockets)
  const doubt = `it uses ${sockets.name}, but ${path} exports no server that WebSockets could reach`
  return { manifest, because, doubt }
}

/** What is said of modules that nothing else explains. */
export function doubtModules(project: Project): Guess | undefined {
  const [first] = findModules(project).all
  return first
    ? {
        manifest: { entry: nodeProgram(first.path) },
        because: [first.because],
        doubt: `${first.path} exports no listener that could be recognised`,
      }
    : missingProgram(project)
}

function missingProgram(project: Project): Guess | undefined {
  const file = project.json?.main ?? startedFile(project)?.file
  if (file === undefined || project.isFile(file)) return undefined
  const doubt = `package.json names ${file}, which is not there: build the project first`
  return { manifest: { entry: nodeProgram(file) }, because: [], doubt }
}

function serverOf(program: Module, { started, command }: Modules, sockets: Sockets | undefined): Guess {
  const { args, env } = program === started && command ? command : { args: [program.path], env: {} }
  const entry = {
    ...nodeProgram(...args),
    ...(Object.keys(env).length > 0 ? { env } : {}),
    ...(sockets ? { websocket: true } : {}),
  }
  return {
    manifest: { entry },
    because: [
      program.because,
      `${program.path} listens when it is loaded, so it is started as a program`,
      ...(sockets ? [`${sockets.path} loads ${sockets.name}, for WebSockets`] : []),
    ],
  }
}

interface Sockets {
  readonly name: string
  readonly path: string
}

const SOCKET_PACKAGES = [
  'ws',
  'socket.io',
  'express-ws',
  'websocket',
  '@fastify/websocket',
  'koa-websocket',
  '@hono/node-ws',
]

/** The package for WebSockets that the app loads, if it ships with it, and who loads it. */
function socketsOf(project: Project, modules: readonly Module[]): Sockets | undefined {
  const shipped = SOCKET_PACKAGES.filter((name) => project.json && name in project.json.dependencies)
  if (shipped.length === 0) return undefined
  const seen = new Map(modules.map(({ path, shape }) => [path, shape.imports]))
  // Grows while it is walked.
  for (const [path, imports] of seen) {
    const name = shipped.find((name) => imports.includes(name))
    if (name !== undefined) return { name, path }
    for (const next of imports) {
      const file = next.startsWith('.') ? resolveModule(project, posix.join(posix.dirname(path), next)) : undefined
      if (file !== undefined && seen.size < MAX_MODULES) seen.set(file, moduleShape(project.read(file)).imports)
    }
  }
  return undefined
}

/** Who has more says so in a manifest. */
const MAX_MODULES = 500

/**
 * Modules that may be the app: what package.json names, what those load, and only where it names nothing the customary
 * file names.
 */
function findModules(project: Project): Modules {
  const { json } = project
  const all: Module[] = []
  const add = (path: string | undefined, because: (path: string) => string): Module | undefined => {
    const file = path === undefined ? undefined : resolveModule(project, path)
    const known = all.find((m) => m.path === file)
    if (file === undefined || known) return known
    const module = { path: file, because: because(file), shape: moduleShape(project.read(file)) }
    all.push(module)
    return module
  }
  add(json?.main, (path) => `package.json names ${path} as "main"`)
  const start = startedFile(project)
  const started = add(start?.file, (path) => `package.json starts ${path}`)
  for (const file of json?.bin ?? []) add(file, (path) => `package.json names ${path} as its command`)
  for (const { path, shape } of [...all]) {
    const own = shape.imports.filter((name) => name.startsWith('.'))
    for (const name of own) add(posix.join(posix.dirname(path), name), (file) => `${path} loads ${file}`)
  }
  if (all.length === 0) {
    const names = ['app', 'server', 'index'].flatMap((name) => [name, `src/${name}`])
    for (const name of names) add(name, () => 'no package.json names another module')
  }
  if (!started || !start) return { all }
  const { env, before, after } = start
  return { all, started, command: { env, args: [...before, started.path, ...after] } }
}

/** The file in `node --flag file argument`, as `npm start` or `npm run start:prod` has it. */
function startedFile({ json }: Project) {
  const commands = ['start:prod', 'start'].map((name) => parseCommand(json?.scripts[name]))
  const command = commands.find((found) => found?.words[0] === 'node')
  if (!command) return undefined
  const args = command.words.slice(1)
  const at = args.findIndex((word) => !word.startsWith('-'))
  const file = args[at]
  return file === undefined
    ? undefined
    : { file, before: args.slice(0, at), after: args.slice(at + 1), env: command.env }
}

/** As `require` resolves it: the file, with an extension, a folder's index. Only inside the project. */
function resolveModule(project: Project, path: string): string | undefined {
  const base = posix.normalize(path)
  if (base.startsWith('..') || base.startsWith('/')) return undefined
  const ends = ['', '.js', '.cjs', '.mjs', '/index.js', '/index.cjs', '/index.mjs']
  return ends.map((end) => `${base}${end}`).find((file) => isScript(project, file))
}

/** `bin/www` has no extension; a JSON file or a style sheet that a module loads is not a module. */
function isScript(project: Project, file: string): boolean {
  return /(?:^|\/)[^./]+$|\.[cm]?js$/.test(file) && project.isFile(file)
}
