import { type ModuleSource, qualified, type Statement } from './module-source.ts'

/** A callable that a module has for a server. */
export interface CallableShape {
  readonly name: string
  readonly type: 'wsgi' | 'asgi'
  /** In words: "a Flask app". */
  readonly what: string
  readonly factory: boolean
  readonly statement: Statement
}

interface Kind {
  readonly type: 'wsgi' | 'asgi'
  readonly what: string
}

/** What makes an app, by its full name. */
const MAKERS: Readonly<Record<string, Kind>> = {
  'flask.Flask': { type: 'wsgi', what: 'a Flask app' },
  'quart.Quart': { type: 'asgi', what: 'a Quart app' },
  'fastapi.FastAPI': { type: 'asgi', what: 'a FastAPI app' },
  'starlette.applications.Starlette': { type: 'asgi', what: 'a Starlette app' },
  'litestar.Litestar': { type: 'asgi', what: 'a Litestar app' },
  'bottle.Bottle': { type: 'wsgi', what: 'a Bottle app' },
  'bottle.default_app': { type: 'wsgi', what: 'a Bottle app' },
  'bottle.app': { type: 'wsgi', what: 'a Bottle app' },
  'falcon.App': { type: 'wsgi', what: 'a Falcon app' },
  'falcon.API': { type: 'wsgi', what: 'a Falcon app' },
  'falcon.asgi.App': { type: 'asgi', what: 'a Falcon app' },
  'dash.Dash': { type: 'wsgi', what: 'a Dash app' },
  'django.core.wsgi.get_wsgi_application': { type: 'wsgi', what: 'a Django app' },
  'django.core.asgi.get_asgi_application': { type: 'asgi', what: 'a Django app' },
  'channels.routing.ProtocolTypeRouter': { type: 'asgi', what: 'a Channels app' },
  'socketio.WSGIApp': { type: 'wsgi', what: 'a Socket.IO app' },
  'socketio.ASGIApp': { type: 'asgi', what: 'a Socket.IO app' },
  'pyramid.paster.get_app': { type: 'wsgi', what: 'a Pyramid app' },
}

// The usual names, the likeliest first; another name counts where a framework made what it holds.
const USUAL = ['application', 'app']
const FACTORIES = /^(?:create_app|make_app|create_application|make_application|get_app|app_factory|main)$/

const ASSIGNMENT = /^(?<name>\w+)\s*(?::[^=]+)?=\s*(?<value>[\s\S]+)$/
const FUNCTION = /^(?<async>async\s+)?def\s+(?<name>\w+)\s*\((?<parameters>[\s\S]*?)\)\s*(?:->[^:]+)?:/
const CLASS = /^class\s+(?<name>\w+)/

/**
 * The callables of a module, the likeliest first: apps that it makes, functions of WSGI (PEP 3333) and ASGI, factories.
 *
 * @param lookUp what a name that is imported from another module of the project stands for
 */
export function callableShapes(
  module: ModuleSource,
  lookUp: (name: string) => CallableShape | undefined = () => undefined,
): readonly CallableShape[] {
  const found = new Map<string, CallableShape>()
  const classes = new Map<string, Kind>()
  for (const statement of module.statements) {
    const shape = shapeOf(statement, module, found, classes, lookUp)
    if (shape) found.set(shape.name, shape)
  }
  for (const name of USUAL) {
    const imported = module.names.get(name)
    const shape = imported === undefined || found.has(name) ? undefined : lookUp(imported)
    const statement = module.statements.find(
      ({ text }) => /\bimport\b/.test(text) && new RegExp(`\\b${name}\\b`).test(text),
    )
    if (shape && statement && !shape.factory) found.set(name, { ...shape, name, statement })
  }
  return [...found.values()].sort((a, b) => rank(a) - rank(b))
}

function rank({ name, factory }: CallableShape): number {
  const usual = USUAL.indexOf(name)
  return factory ? 3 : usual < 0 ? 2 : usual
}

function shapeOf(
  statement: Statement,
  module: ModuleSource,
  found: ReadonlyMap<string, CallableShape>,
  classes: Map<string, Kind>,
  lookUp: (name: string) => CallableShape | undefined,
): CallableShape | undefined {
  const className = CLASS.exec(statement.text)?.groups?.name
  if (className !== undefined) {
    const call = /def\s+__call__\s*\(\s*self\s*,\s*(?<parameters>[^)]*)\)/.exec(statement.body)?.groups?.parameters
    const kind = call === undefined ? undefined : kindOfParameters(call)
    if (kind) classes.set(className, kind)
    return undefined
  }
  const def = FUNCTION.exec(statement.text)?.groups
  if (def) return functionShape(def.name ?? '', def.parameters ?? '', statement, module)

  const { name, value } = ASSIGNMENT.exec(statement.text)?.groups ?? {}
  if (name === undefined || value === undefined || name.startsWith('_')) return undefined
  const kind = kindOfValue(value, module, found, classes, lookUp)
  return kind && { name, type: kind.type, what: kind.what, factory: false, statement }
}

function functionShape(
  name: string,
  parameters: string,
  statement: Statement,
  module: ModuleSource,
): CallableShape | undefined {
  const kind = USUAL.includes(name) ? kindOfParameters(parameters) : undefined
  if (kind) return { name, ...kind, factory: false, statement }
  if (!FACTORIES.test(name)) return undefined
  const made = madeIn(statement.body, module)
  return made && { name, ...made, factory: true, statement }
}

/** Whether a factory can be called without arguments. */
export function needsArguments({ statement }: CallableShape): boolean {
  const parameters = FUNCTION.exec(statement.text)?.groups?.parameters ?? ''
  return parameters.split(/,(?![^[(]*[\])])/).some((parameter) => /^\s*\w+\s*(?::[^=]*)?$/.test(parameter))
}

function kindOfParameters(parameters: string): Kind | undefined {
  const names = parameters.split(',').map((part) => /^\s*(\w+)/.exec(part)?.[1] ?? '')
  if (names.length === 2 && names[1] === 'start_response') return { type: 'wsgi', what: 'a WSGI callable' }
  if (names.length === 3 && names[1] === 'receive' && names[2] === 'send')
    return { type: 'asgi', what: 'an ASGI callable' }
  return undefined
}

/** `Flask(__name__)`, `create_app()`, `config.make_wsgi_app()`, `ProxyFix(app)`. */
function kindOfValue(
  value: string,
  module: ModuleSource,
  found: ReadonlyMap<string, CallableShape>,
  classes: ReadonlyMap<string, Kind>,
  lookUp: (name: string) => CallableShape | undefined,
): Kind | undefined {
  const { called, rest } = /^(?<called>[\w.]+)\s*\(\s*(?<rest>[\s\S]*)$/.exec(value)?.groups ?? {}
  if (called === undefined) {
    // `application = app`, `server = dash_app.server`
    const other = /^(?<name>\w+)(?:\.(?:wsgi_app|server|asgi_app))?\s*$/.exec(value)?.groups?.name ?? ''
    return found.get(other) ?? lookUp(module.names.get(other) ?? '')
  }
  if (/\.make_wsgi_app$/.test(called)) return { type: 'wsgi', what: 'a Pyramid app' }
  if (/\.wsgifunc$/.test(called)) return { type: 'wsgi', what: 'a web.py app' }
  const full = qualified(called, module.names)
  const known = MAKERS[full] ?? classes.get(called) ?? found.get(called) ?? lookUp(full)
  if (known) return known
  // A wrapper: ProxyFix(app), WhiteNoise(application, …).
  const inner = /^(?<name>[\w.]+)\b(?!\s*[(=])/.exec(rest ?? '')?.groups?.name
  return /^[A-Z]/.test(called.split('.').at(-1) ?? '') && inner !== undefined ? found.get(inner) : undefined
}

/** What a function makes, anywhere in it. */
function madeIn(body: string, module: ModuleSource): Kind | undefined {
  if (/\.make_wsgi_app\s*\(/.test(body)) return { type: 'wsgi', what: 'a Pyramid app' }
  const local = new Map(module.names)
  for (const { groups } of body.matchAll(/^\s+from\s+(?<from>[\w.]+)\s+import\s+(?<name>\w+)\s*$/gm)) {
    local.set(groups?.name ?? '', `${groups?.from}.${groups?.name}`)
  }
  for (const { groups } of body.matchAll(/(?:=|return)\s*(?<called>[\w.]+)\s*\(/g)) {
    const kind = MAKERS[qualified(groups?.called ?? '', local)]
    if (kind) return kind
  }
  return undefined
}
