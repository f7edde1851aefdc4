import * as z from 'zod'
import { entrySchema } from './manifest-entry.ts'
import { routeSchema } from './manifest-route.ts'
import * as v from './manifest-values.ts'

const { documented, optional } = v

/*
 * The shape of zapp.json: every key, its type and its documentation. schema/manifest.v1.schema.json is generated from
 * it. What one key demands of another is in manifest-rules.ts; what both together mean is Manifest, manifest-types.ts.
 */

const dependencies = z.strictObject({
  runtime: optional(
    z.strictObject({
      node: optional(v.versionRange(), 'Versions of Node that the app runs on.', { example: '>=20.19' }),
      python: optional(v.versionRange(), 'Versions of Python that the app runs on.', { example: '>=3.11,<3.14' }),
    }),
    'Versions of the runtimes, checked before anything is unpacked.',
  ),
  commands: optional(z.array(v.program()), 'Programs that must be on PATH.', { example: ['perl'] }),
  provided: optional(
    z.strictObject({
      node: optional(z.array(v.packageName()), 'Packages of npm.', { example: ['sharp'] }),
      python: optional(z.array(v.packageName()), 'Python distributions.', { example: ['numpy'] }),
    }),
    'Packages that are not in the archive: the container must supply them.',
  ),
})

const configVariable = z.strictObject({
  type: documented(
    z.enum(['string', 'integer', 'boolean', 'url', 'enum', 'json', 'file']),
    'What the value must be. "boolean" is "true" or "false", "file" the path of a file outside the archive.',
    { example: 'url' },
  ),
  required: optional(v.flag(), 'Whether the app is refused without a value.', { default: false }),
  default: optional(z.unknown(), 'The value where none is given, as "type" demands.', { example: 20 }),
  values: optional(
    z.array(v.line()).min(1, { error: 'a list of at least one value' }),
    'The values that are allowed. With type "enum", and only there.',
    { example: ['debug', 'info'] },
  ),
  secret: optional(v.flag(), 'Whether the value must never be shown or logged.', { default: false }),
  description: optional(v.line(), 'What the variable is for; shown where it is missing.', {
    example: 'Rows on a page',
  }),
})

const dataFolder = z.strictObject({
  path: documented(v.path(), 'Where the app sees the folder, from its root.', { example: 'uploads' }),
  env: optional(v.variable(), 'The variable that gets the absolute path of the folder.', { example: 'UPLOAD_DIR' }),
})

const health = z.strictObject({
  path: documented(v.requestPath(), 'The path that must answer 2xx.', { example: '/healthz' }),
  host: optional(v.host(), 'The Host header of the check, for apps that refuse unknown ones.', {
    example: 'shop.example',
  }),
  timeout: optional(v.duration(), 'How long the app may take to become healthy.', { default: '30s' }),
})

const migrate = z.strictObject({
  run: documented(v.argv(), 'The command, an argument each, no shell.', {
    example: ['{python}', 'manage.py', 'migrate'],
  }),
  timeout: optional(v.duration(), 'How long it may take.', { default: '5m' }),
})

const backgroundProcess = z.strictObject({
  run: documented(v.argv(), 'The command, an argument each, no shell.', { example: ['{node}', 'worker.js'] }),
  count: optional(v.count(64), 'How many run at once. Not with "every".', { default: 1 }),
  every: optional(v.duration(), 'Makes it a timer: the time from one start to the next. Without it, it runs always.', {
    example: '1h',
  }),
})

const workers = z.strictObject({
  processes: optional(v.count(256), 'Processes that answer requests.', { example: 2 }),
  threads: optional(v.count(256), 'Threads in each process (WSGI).', { example: 4 }),
  maxRequests: optional(v.count(1_000_000), 'Requests after which a process is replaced by a fresh one (Python).', {
    example: 10_000,
  }),
  server: optional(
    z.enum(['gunicorn', 'uvicorn', 'hypercorn']),
    'The server that runs a Python app: gunicorn for WSGI, uvicorn or hypercorn for ASGI. It must be in the archive or installed.',
    { example: 'gunicorn' },
  ),
})

const reserved = () => z.record(z.string(), z.unknown())

export const manifestSchema = documented(
  z.strictObject({
    $schema: optional(z.string(), 'Where editors find the schema of this file.'),
    zapp: documented(z.literal(1, { error: 'the number 1' }), 'The version of the format.', { example: 1 }),
    name: documented(v.name(), 'The name of the app: of its archive and, unless the host says otherwise, its path.', {
      example: 'shop',
    }),
    version: documented(v.semver(), 'The version of the app, as Semantic Versioning 2.0.0 writes it.', {
      example: '1.2.0',
    }),
    title: optional(v.line(), 'The name for people.', { example: 'Shop' }),
    description: optional(v.paragraph(), 'What the app is.'),
    license: optional(v.line(), 'The licence, as an SPDX expression.', { example: 'MIT' }),
    homepage: optional(v.webAddress(), 'The address of the project.', { example: 'https://shop.example' }),
    entry: optional(
      entrySchema,
      'The one entry: short for "entries": {"main": …}. Where no route names it, it answers all that no other route does.',
      { example: { type: 'node', module: 'app.js' } },
    ),
    entries: optional(z.record(v.name(), entrySchema), 'Entries by name, where one is not enough. Instead of "entry".'),
    routes: optional(
      z.record(z.string(), routeSchema),
      'What answers which URLs, by pattern: "/about" exactly, "/api/*" with all below, "*.pdf" by suffix, "/" the rest. Only what a route names is public.',
      { example: { '/': { static: 'public', else: { entry: 'main' } } } },
    ),
    dependencies: optional(dependencies, 'What must be there before the app can run.'),
    config: optional(
      z.record(v.variable(), documented(configVariable, 'A variable that the app reads.')),
      'The variables that the app reads from its environment.',
      { example: { DATABASE_URL: { type: 'url', required: true, secret: true } } },
    ),
    data: optional(
      z.record(v.name(), documented(dataFolder, 'A folder that the app writes to.')),
      'Folders that the app writes to. They live outside the archive, survive redeploys, and begin with what the archive holds there.',
      { example: { uploads: { path: 'uploads', env: 'UPLOAD_DIR' } } },
    ),
    welcome: optional(z.array(v.path()), 'File names that answer for a folder, the first that exists.', {
      default: ['index.html'],
    }),
    errors: optional(
      z.record(v.statusKey(), v.path()),
      'Pages for errors that Zapp itself answers, by status or class of status. What an entry answers stays.',
      { example: { '404': 'public/404.html' } },
    ),
    base: optional(
      v.base(),
      'The one path that a build works at, where asset URLs were fixed at build time. Mounts elsewhere are refused.',
      { default: 'any', example: '/shop' },
    ),
    health: optional(health, 'What must succeed before a new version gets traffic.', { example: { path: '/healthz' } }),
    executable: optional(
      z.array(v.path()),
      'Files that must be executable, beyond those that begin with "#!" or are programs by their content.',
      { example: ['bin/convert'] },
    ),
    lifecycle: optional(
      z.strictObject({ migrate: optional(migrate, 'Runs once before traffic goes to this version.') }),
      'Commands that run once.',
    ),
    processes: optional(
      z.record(v.name(), documented(backgroundProcess, 'A background process, or a timer.')),
      'Background processes and timers that belong to the app.',
      { example: { mail: { run: ['{node}', 'worker.js'] } } },
    ),
    workers: optional(workers, 'How many processes and threads answer. The host decides where this is silent.'),
    roles: optional(reserved(), 'Reserved. A loader that cannot enforce it refuses the app.'),
    services: optional(reserved(), 'Reserved. A loader that cannot honour it refuses the app.'),
  }),
  'The manifest of a .zapp archive. Keys that begin with "x-" are free.',
)

/** What an author may write, once every check has passed. */
export type ManifestSource = z.infer<typeof manifestSchema>
