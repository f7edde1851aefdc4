import { posix } from 'node:path'
import type { Guess, Project } from '../detect-project.ts'
import { type CallableShape, callableShapes, needsArguments } from './callable-shape.ts'
import { settingsFacts } from './detect-settings.ts'
import { type ModuleSource, readModule } from './module-source.ts'

/** Names of modules that hold an app, the likeliest first. */
const MODULES = ['wsgi', 'asgi', 'app', 'application', 'main', 'server', 'api', 'web', 'run', 'index', 'manage']

interface Found {
  /** "src/shop/wsgi.py" */
  readonly file: string
  /** Folder on sys.path: "" or "src". */
  readonly root: string
  /** "shop.wsgi" */
  readonly module: string
  readonly source: ModuleSource
  readonly shape: CallableShape
}

/** An app of Flask, FastAPI, Bottle, Pyramid and others, or a plain WSGI or ASGI callable. */
export function detectPython(project: Project): Guess | undefined {
  const candidates = candidateFiles(project)
  const all = candidates.flatMap(({ file, root }) => find(project, file, root))
  // A factory only where no module has the app itself.
  const found = all.find(({ shape }) => !shape.factory) ?? all[0]
  if (!found) return bottleWithout(project, candidates)
  const { file, root, module, source, shape } = found
  const facts = settingsFacts([{ file, source }])
  return {
    manifest: {
      entry: {
        type: shape.type,
        app: `${module}:${shape.name}`,
        ...(shape.factory ? { factory: true } : {}),
        ...(root === '' ? {} : { root }),
        ...(usesWebSockets(found) ? { websocket: true } : {}),
      },
      ...facts.manifest,
    },
    because: [
      `${place(found)} ${shape.factory ? 'is a factory of' : 'has'} ${shape.what}: ${firstLine(shape)}`,
      ...facts.because,
    ],
    language: 'python',
    ...doubtOf(found, all),
  }
}

function doubtOf(found: Found, all: readonly Found[]): { doubt?: string } {
  const { shape, source, file, module } = found
  if (shape.factory && needsArguments(shape)) {
    const doubt = `${place(found)} must be called with arguments: add a wsgi.py that says "from ${module} import ${shape.name}" and "application = ${shape.name}({})"`
    return { doubt }
  }
  const runs = source.statements.find(({ text }) => /^(?:\w+\.run|run|serve|\w+\.serve_forever)\s*\(/.test(text))
  if (runs)
    return { doubt: `${file}:${runs.line} starts a server when it is imported: put it below if __name__ == "__main__"` }
  const rival = all.find(
    (other) =>
      other.file !== file &&
      other.shape.factory === shape.factory &&
      other.shape.what !== shape.what &&
      posix.dirname(other.file) === posix.dirname(file),
  )
  return rival ? { doubt: `${place(found)} has ${shape.what} and ${place(rival)} ${rival.shape.what}` } : {}
}

function place({ file, shape }: Found): string {
  return `${file}:${shape.statement.line}`
}

function firstLine({ statement }: CallableShape): string {
  return (statement.text.split('\n', 1)[0] ?? '').slice(0, 80)
}

function usesWebSockets({ shape, source }: Found): boolean {
  return shape.type === 'asgi' && /\bWebSocket(?:Route)?\b|\.websocket(?:_route)?\s*\(|\bsocketio\b/.test(source.text)
}

/** The root's own modules, then those of packages, also below src. */
function candidateFiles(project: Project): readonly { file: string; root: string }[] {
  return ['', 'src'].flatMap((root) => {
    const at = (path: string) => posix.join(root, path)
    const packages = project
      .list(root)
      .filter((name) => project.isFile(at(`${name}/__init__.py`)) && !NO_APPS.test(name))
    const names = [
      ...MODULES.map((name) => `${name}.py`),
      ...packages.flatMap((name) => [...MODULES.map((module) => `${name}/${module}.py`), `${name}/__init__.py`]),
    ]
    // One that has a name of its own, where it is the only one.
    const others = project
      .list(root)
      .filter((name) => /^[a-z]\w*\.py$/.test(name) && !/^(?:setup|conf|test)/.test(name))
    const only = root === '' && others.length === 1 ? others : []
    return [...new Set([...names, ...only])]
      .map((name) => ({ file: at(name), root }))
      .filter(({ file }) => project.isFile(file))
  })
}

const NO_APPS = /^(?:tests?|docs?|examples?|migrations|\..*)$/

function find(project: Project, file: string, root: string): Found[] {
  const source = readModule(project.read(file))
  const module = file
    .slice(root === '' ? 0 : root.length + 1)
    .replace(/(?:\/__init__)?\.py$/, '')
    .replaceAll('/', '.')
  return callableShapes(source, (name) => lookUp(project, root, file, name, 0)).map((shape) => ({
    file,
    root,
    module,
    source,
    shape,
  }))
}

/** An app or a factory that another module of the project holds: "shop.create_app", ".create_app". */
function lookUp(project: Project, root: string, from: string, name: string, depth: number): CallableShape | undefined {
  const [, dots = '', path = ''] = /^(\.*)(.*)$/.exec(name) ?? []
  const parts = path.split('.')
  const last = parts.pop()
  const up = dots === '' ? root : posix.join(posix.dirname(from), '../'.repeat(dots.length - 1))
  const base = posix.join(up, ...parts)
  const file = [`${base}.py`, posix.join(base, '__init__.py')].find((candidate) => project.isFile(candidate))
  // Deep chains of imports are for people: they name the app in a manifest.
  if (file === undefined || last === undefined || depth > 3 || base.startsWith('..')) return undefined
  const source = readModule(project.read(file))
  const shapes = callableShapes(source, (inner) => lookUp(project, root, file, inner, depth + 1))
  return shapes.find((shape) => shape.name === last)
}

/** Bottle's default app has no name in the module. */
function bottleWithout(project: Project, candidates: readonly { file: string; root: string }[]): Guess | undefined {
  for (const { file, root } of candidates) {
    const { names, text } = readModule(project.read(file))
    const routes = [...names].some(
      ([local, full]) => /^bottle\.(?:route|get|post)$/.test(full) && text.includes(`@${local}(`),
    )
    if (!routes) continue
    const module = file
      .slice(root === '' ? 0 : root.length + 1)
      .replace(/\.py$/, '')
      .replaceAll('/', '.')
    return {
      manifest: { entry: { type: 'wsgi', app: `${module}:application` } },
      because: [`${file} has routes of Bottle`],
      language: 'python',
      doubt: `${file} names no app that could be called: add the line "application = bottle.default_app()"`,
    }
  }
  return undefined
}
