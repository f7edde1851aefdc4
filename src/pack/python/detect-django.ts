import { posix } from 'node:path'
import type { Guess, Project } from '../detect-project.ts'
import { lineOf, settingsFacts } from './detect-settings.ts'
import { type ModuleSource, readModule } from './module-source.ts'

interface Module {
  readonly file: string
  readonly source: ModuleSource
}

/** A Django project: a manage.py that names its settings. https://docs.djangoproject.com/en/stable/howto/deployment/ */
export function detectDjango(project: Project): Guess | undefined {
  const folders = ['', ...project.list('').filter((name) => project.isFile(`${name}/manage.py`))]
  const root = folders.find((folder) => /DJANGO_SETTINGS_MODULE/.test(project.read(posix.join(folder, 'manage.py'))))
  if (root === undefined) return undefined
  const manage = posix.join(root, 'manage.py')
  const text = project.read(manage)
  const match = /DJANGO_SETTINGS_MODULE["']\s*,\s*["'](?<settings>[\w.]+)["']/.exec(text)
  const because = [`${manage}:${lineOf(text, match?.index ?? 0)} makes it a Django project`]
  const settings = productionSettings(project, root, match?.groups?.settings)
  if (!settings) {
    const entry = { type: 'wsgi', app: 'wsgi:application' }
    return { manifest: { entry }, because, language: 'python', doubt: `${manage} names no settings that are there` }
  }
  const modules = settingsModules(project, settings.file)
  const server = serverOf(project, root, settings.name, modules)
  if (!server) {
    const entry = { type: 'wsgi', app: `${settings.name.split('.')[0]}.wsgi:application` }
    return {
      manifest: { entry },
      because,
      language: 'python',
      doubt: 'it has no wsgi.py: django-admin startproject makes one',
    }
  }
  const urls = urlsOf(project, root, modules)
  const facts = settingsFacts([...modules, ...urls])
  const files = staticFiles(project, root, modules)
  const health = facts.manifest.health as { path: string } | undefined
  const host = allowedHost(modules)
  return {
    manifest: {
      entry: {
        ...server.entry,
        ...(root === '' ? {} : { root }),
        env: { DJANGO_SETTINGS_MODULE: settings.name },
      },
      ...files.manifest,
      ...facts.manifest,
      ...(health && host ? { health: { ...health, host } } : {}),
    },
    because: [...because, ...server.because, ...files.because, ...facts.because, ...database(modules)],
    language: 'python',
    ...(files.doubt === undefined ? {} : { doubt: files.doubt, settledBy: 'collectStatic' }),
  }
}

/** `settings.production` where the settings are a package and manage.py names those for development. */
function productionSettings(project: Project, root: string, named: string | undefined) {
  if (named === undefined) return undefined
  const at = (name: string) => moduleFile(project, root, name)
  const others = ['production', 'prod'].map((last) => named.replace(/\.(?:dev|development|local|base)$/, `.${last}`))
  const name = [...others, named].find((candidate) => at(candidate) !== undefined)
  return name === undefined ? undefined : { name, file: at(name) ?? '' }
}

function moduleFile(project: Project, root: string, name: string): string | undefined {
  const path = posix.join(root, name.replaceAll('.', '/'))
  return [`${path}.py`, `${path}/__init__.py`].find((file) => project.isFile(file))
}

/** The settings, and those of the same folder that they take in with `from .base import *`. */
function settingsModules(project: Project, file: string): readonly Module[] {
  const modules = new Map<string, Module>()
  const read = (path: string) => {
    if (modules.has(path) || !project.isFile(path)) return
    const source = readModule(project.read(path))
    modules.set(path, { file: path, source })
    for (const { text } of source.statements) {
      const name = /^from\s+\.(?<name>\w+)\s+import\s+\*/.exec(text)?.groups?.name
      if (name !== undefined) read(posix.join(posix.dirname(path), `${name}.py`))
    }
  }
  read(file)
  return [...modules.values()]
}

/** A setting's value as text, and where it stands. */
function setting(modules: readonly Module[], name: string): { value: string; place: string } | undefined {
  for (const { file, source } of modules) {
    const found = source.statements.find(({ text }) => new RegExp(`^${name}\\s*(?::[^=]+)?=[^=]`).test(text))
    if (found) return { value: found.text.replace(/^[^=]+=\s*/, ''), place: `${file}:${found.line}` }
  }
  return undefined
}

function serverOf(project: Project, root: string, settings: string, modules: readonly Module[]) {
  const channels = /["'](?:channels|daphne)["']/.test(setting(modules, 'INSTALLED_APPS')?.value ?? '')
  for (const type of channels ? (['asgi', 'wsgi'] as const) : (['wsgi', 'asgi'] as const)) {
    const name = `${type.toUpperCase()}_APPLICATION`
    const said = setting(modules, name)
    const dotted = /["'](?<path>[\w.]+)\.(?<callable>\w+)["']/.exec(said?.value ?? '')?.groups
    const beside = settings.split('.').slice(0, -1)
    const guesses = beside.map((_, i) => [...beside.slice(0, beside.length - i), type].join('.'))
    const module = [dotted?.path ?? '', ...guesses, type].find((path) => path !== '' && moduleFile(project, root, path))
    if (module === undefined) continue
    const because =
      said && dotted?.path === module
        ? `${said.place} names ${module}`
        : `${moduleFile(project, root, module)} is its ${type.toUpperCase()} module`
    const entry = {
      type,
      app: `${module}:${dotted?.callable ?? 'application'}`,
      ...(channels && type === 'asgi' ? { websocket: true } : {}),
    }
    return { entry, because: [because] }
  }
  return undefined
}

/** STATIC_ROOT is where collectstatic puts the files that a web server shall answer with. */
function staticFiles(project: Project, root: string, modules: readonly Module[]) {
  const where = setting(modules, 'STATIC_ROOT')
  const url = /["']\/?(?<path>[\w./-]*?)\/?["']/.exec(setting(modules, 'STATIC_URL')?.value ?? '')?.groups?.path
  const folder = folderBelow(where?.value ?? '')
  if (!where || folder === undefined || !url) {
    const note = 'no STATIC_ROOT inside the project: nothing collects the static files of its apps'
    return {
      manifest: {},
      because: setting(modules, 'STATIC_URL') ? [`${setting(modules, 'STATIC_URL')?.place} ${note}`] : [],
    }
  }
  const path = posix.join(root, folder)
  const text = modules.map(({ source }) => source.text).join('\n')
  const hashed = /ManifestStaticFilesStorage|CompressedManifestStaticFilesStorage/.test(text)
  const because = [`${where.place} collects static files into ${path}${hashed ? ', under names with a hash' : ''}`]
  const manifest = {
    routes: { '/': { entry: 'main' }, [`/${url}/*`]: { static: path, cache: hashed ? 'immutable' : '1h' } },
  }
  if (project.isFolder(path)) return { manifest, because }
  const doubt = `its static files are not collected, ${path} is missing: run "python manage.py collectstatic --noinput", or pack with --collectstatic`
  return { manifest, because, doubt }
}

/** The folder in `BASE_DIR / "var" / "static"` and `os.path.join(BASE_DIR, "static")`, below the project's own. */
function folderBelow(value: string): string | undefined {
  const parts = [...value.matchAll(/["'](?<part>[^"']*)["']/g)].map(({ groups }) => groups?.part ?? '')
  const path = posix.join(...parts, '.').replace(/\/$/, '')
  const isElsewhere = /\.parent\b|environ|getenv|config\(|env\(/.test(value) || /^(?:\/|\.)|[^\w./-]/.test(path)
  return parts.length === 0 || isElsewhere ? undefined : path
}

/** Django answers 400 to a host that it does not know, health checks included. */
function allowedHost(modules: readonly Module[]): string | undefined {
  const hosts = setting(modules, 'ALLOWED_HOSTS')?.value ?? ''
  const names = [...hosts.matchAll(/["'](?<host>[\w.*:-]+)["']/g)].map(({ groups }) => groups?.host ?? '')
  return names.includes('*') ? undefined : names.find((host) => /^[A-Za-z0-9]/.test(host))
}

function urlsOf(project: Project, root: string, modules: readonly Module[]): readonly Module[] {
  const name = /["'](?<name>[\w.]+)["']/.exec(setting(modules, 'ROOT_URLCONF')?.value ?? '')?.groups?.name
  const file = name === undefined ? undefined : moduleFile(project, root, name)
  return file === undefined ? [] : [{ file, source: readModule(project.read(file)) }]
}

function database(modules: readonly Module[]): readonly string[] {
  const found = setting(modules, 'DATABASES')
  if (!found || !/sqlite3/.test(found.value) || !/BASE_DIR|__file__/.test(found.value)) return []
  return [
    `${found.place} keeps the database beside the code, where each version starts with a new one: take its path from a variable, and declare a data folder`,
  ]
}
