import * as z from 'zod'
import * as v from './manifest-values.ts'

const { documented, optional } = v

const env = () =>
  optional(z.record(v.variable(), v.environmentValue()), 'Environment variables that only this entry gets.', {
    example: { DJANGO_SETTINGS_MODULE: 'shop.settings' },
  })

const websocket = () =>
  optional(v.flag(), 'Whether the entry takes WebSocket upgrades. Others are refused.', { default: false })

const nodeModule = (what: string) => ({
  module: documented(v.path(), `The file that exports ${what}.`, { example: 'app.js' }),
  export: optional(v.exportName(), 'The name of the export, where it is not one that loaders look for.', {
    example: 'app',
  }),
  websocket: websocket(),
  env: env(),
})

const pythonCallable = () => ({
  app: documented(v.callable(), 'The application: module, ":", callable.', { example: 'shop.wsgi:application' }),
  factory: optional(v.flag(), 'Whether the callable makes the application when called without arguments.', {
    default: false,
  }),
  root: optional(v.path(), 'The folder that modules are imported from, where it is not the root of the archive.', {
    example: 'api',
  }),
  env: env(),
})

const node = z.strictObject({
  type: z.literal('node'),
  ...nodeModule('a (req, res) listener: a function, an Express or Koa app'),
})

const fetch = z.strictObject({
  type: z.literal('fetch'),
  ...nodeModule('fetch(request), alone or as a method: Hono, h3, plain'),
})

const server = z.strictObject({
  type: z.literal('server'),
  run: documented(v.argv(), 'The command that starts the server, which listens on PORT. No shell.', {
    example: ['{node}', 'server.js'],
  }),
  websocket: websocket(),
  env: env(),
})

const wsgi = z.strictObject({ type: z.literal('wsgi'), ...pythonCallable() })

const asgi = z.strictObject({ type: z.literal('asgi'), ...pythonCallable(), websocket: websocket() })

const cgi = z.strictObject({
  type: z.literal('cgi'),
  dir: optional(v.path(), 'A folder: every file in it with mode 0755 is a script. Either this or "script".', {
    example: 'cgi-bin',
  }),
  script: optional(v.path(), 'The one script. Either this or "dir".', { example: 'cgi-bin/hello.pl' }),
  timeout: optional(v.duration(), 'How long a script may take before it is ended.', { default: '30s' }),
  concurrency: optional(v.count(1024), 'How many scripts run at once; further requests wait.', { default: 8 }),
  env: env(),
})

export const ENTRY_TYPES = {
  node: documented(node, 'A Node program that exports a listener.'),
  fetch: documented(fetch, 'A Node program that exports a fetch handler.'),
  server: documented(server, 'A program that listens by itself.'),
  wsgi: documented(wsgi, 'A Python WSGI application (PEP 3333): Django, Flask, Bottle.'),
  asgi: documented(asgi, 'A Python ASGI application: FastAPI, Starlette.'),
  cgi: documented(cgi, 'CGI/1.1 scripts (RFC 3875).'),
}

const { node: n, fetch: f, server: s, wsgi: w, asgi: a, cgi: c } = ENTRY_TYPES

export const entrySchema = z.discriminatedUnion('type', [n, f, s, w, a, c]).meta({
  id: 'entry',
  description: 'Code that answers requests. "type" says how it is started and called; each type has its own keys.',
})
