import { extname } from 'node:path'
import { isUp } from '../app-view.ts'
import type { DeployInput, DeployOptions, Host } from '../host.ts'
import { badRequest, type Call, readJson, sendJson, sendLines, sendText } from './call.ts'
import { type Gauges, PROMETHEUS_TYPE, renderMetrics } from './prometheus.ts'
import { residentBytes } from './resident.ts'
import { appView, deployView, hostView, planView } from './views.ts'

/** One method of one path, with all that its documentation says: openapi.ts makes the document of this table. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Below the listener, `{id}` for one segment. */
  readonly path: string
  readonly id: string
  readonly summary: string
  /** Query parameters with what they mean. */
  readonly query?: Readonly<Record<string, string>>
  /** What the body is, if there is one. `json`: its properties with what they mean. */
  readonly body?: { readonly archive?: true; readonly json?: Readonly<Record<string, string>> }
  readonly status: 200 | 201 | 204
  /** Name of the answer's schema, or the media type of an answer that is not JSON. */
  readonly answer?: string
  run(call: Call, host: Host): Promise<void>
}

const PLACE = {
  name: 'A file name as in the watched folder, like "a#b##2.zapp".',
  path: 'The path to answer under, like "/shop". It wins over the name.',
  version: 'The version; it wins over that of the name and the manifest.',
  host: 'The virtual host.',
}

/** @param about what the host says of itself */
export function operations(about: { readonly version: string }): readonly Operation[] {
  return [
    {
      ...{ method: 'GET', path: '/api/host', id: 'getHost', status: 200, answer: 'Host' },
      summary: 'The host: addresses, versions, whether it is ready.',
      run: async ({ res }, host) => sendJson(res, 200, hostView(host, about)),
    },
    {
      ...{ method: 'GET', path: '/api/apps', id: 'listApps', status: 200, answer: 'AppList' },
      summary: 'All apps, by id.',
      run: async ({ res }, host) => sendJson(res, 200, await Promise.all(host.apps.map((app) => appView(host, app)))),
    },
    {
      ...{ method: 'POST', path: '/api/apps', id: 'deploy', status: 201, answer: 'DeployResult' },
      summary: 'Deploys an archive: the body itself, of any size, or what a plan left in the store.',
      query: PLACE,
      body: { archive: true, json: { digest: 'Of a plan that was made less than 15 minutes ago.', ...PLACE } },
      async run(call, host) {
        const { input, options } = await toDeploy(call)
        const result = await host.deploy(input, options)
        sendJson(call.res, result.unchanged ? 200 : 201, await deployView(host, result))
      },
    },
    {
      ...{ method: 'POST', path: '/api/plan', id: 'plan', status: 200, answer: 'DeployPlan' },
      summary: 'What a deploy would change, without deploying. The archive is kept for 15 minutes.',
      query: PLACE,
      body: { archive: true },
      async run(call, host) {
        const { input, options } = await toDeploy(call)
        sendJson(call.res, 200, planView(await host.plan(input, options)))
      },
    },
    {
      ...{ method: 'GET', path: '/api/apps/{id}', id: 'getApp', status: 200, answer: 'App' },
      summary: 'One app.',
      run: async ({ res, params }, host) => sendJson(res, 200, await appView(host, host.app(params.id!))),
    },
    {
      ...{ method: 'DELETE', path: '/api/apps/{id}', id: 'undeploy', status: 204 },
      summary: 'Ends an app and forgets its versions.',
      query: { data: '"drop" removes its data folders too; they are kept otherwise.' },
      async run({ res, params, query }, host) {
        const data = query.get('data') ?? 'keep'
        if (data !== 'keep' && data !== 'drop')
          throw badRequest(`"data" must be "keep" or "drop", got ${JSON.stringify(data)}`)
        await host.undeploy(params.id!, { keepData: data === 'keep' })
        res.writeHead(204).end()
      },
    },
    ...(['start', 'stop', 'restart'] as const).map(
      (verb): Operation => ({
        ...{ method: 'POST', path: `/api/apps/{id}/${verb}`, id: verb, status: 200, answer: 'App' },
        summary: VERBS[verb],
        run: async ({ res, params }, host) => sendJson(res, 200, await appView(host, await host[verb](params.id!))),
      }),
    ),
    {
      ...{ method: 'POST', path: '/api/apps/{id}/rollback', id: 'rollback', status: 200, answer: 'App' },
      summary: 'Goes back to a version that is kept: the one before, or the one of that digest.',
      body: { json: { digest: 'Of the version; without it, the one before the current.' } },
      async run({ req, res, params }, host) {
        const { digest } = await readJson(req)
        if (digest !== undefined && typeof digest !== 'string') throw badRequest('"digest" must be a string')
        sendJson(res, 200, await appView(host, await host.rollback(params.id!, digest)))
      },
    },
    {
      ...{ method: 'GET', path: '/api/apps/{id}/logs', id: 'logs', status: 200, answer: 'application/x-ndjson' },
      summary: 'What the app printed and what became of it, a JSON object a line.',
      query: {
        lines: 'How many of the kept lines to begin with; default all.',
        follow: '"true": go on with new lines.',
      },
      run: ({ res, params, query, signal }, host) => {
        const lines = count(query.get('lines'))
        const follow = query.get('follow') === 'true'
        host.app(params.id!)
        return sendLines(res, host.logs(params.id!, { follow, signal, ...(lines === undefined ? {} : { lines }) }))
      },
    },
    {
      ...{ method: 'GET', path: '/api/metrics', id: 'metrics', status: 200, answer: 'Metrics' },
      summary: 'Counters of each app since the host started, by id.',
      run: async ({ res }, host) => sendJson(res, 200, Object.fromEntries(host.metrics())),
    },
    {
      ...{ method: 'POST', path: '/api/reload', id: 'reload', status: 204 },
      summary: 'Reads the settings file again and applies what differs.',
      async run({ res }, host) {
        await host.reload()
        res.writeHead(204).end()
      },
    },
    {
      ...{ method: 'GET', path: '/metrics', id: 'prometheus', status: 200, answer: PROMETHEUS_TYPE },
      summary: 'The same counters for Prometheus.',
      run: async ({ res }, host) => sendText(res, 200, PROMETHEUS_TYPE, renderMetrics(await readings(host), host)),
    },
  ]
}

const VERBS = {
  start: 'Starts an app that was stopped.',
  stop: 'Ends its processes; it answers 503 until it is started, also after a restart of the host.',
  restart: 'Starts the version that serves anew beside itself, then switches.',
}

async function readings(host: Host) {
  const all = new Map<
    string,
    { metrics: ReturnType<Host['metrics']> extends ReadonlyMap<string, infer M> ? M : never; gauges: Gauges }
  >()
  const apps = new Map(host.apps.map((app) => [app.id, app]))
  for (const [id, metrics] of host.metrics()) {
    const app = apps.get(id)
    const memory = await residentBytes(app?.pids ?? [])
    const gauges = {
      up: app !== undefined && isUp(app),
      sleeping: app?.state === 'sleeping',
      processes: app?.pids.length ?? 0,
      draining: app?.draining ?? 0,
      ...(memory === undefined ? {} : { memory }),
    }
    all.set(id, { metrics, gauges })
  }
  return all
}

/** The archive is the body, whatever its media type says but JSON; where it goes stands in the query or beside the digest. */
async function toDeploy({ req, query }: Call): Promise<{ input: DeployInput; options: DeployOptions }> {
  if (!/^application\/json\b/i.test(req.headers['content-type'] ?? '')) {
    return { input: { stream: req }, options: placeOf(Object.fromEntries(query)) }
  }
  const { digest, ...rest } = await readJson(req)
  if (typeof digest !== 'string') throw badRequest('"digest" must be a string: that of a plan')
  return { input: { digest }, options: placeOf(rest) }
}

function placeOf(given: Readonly<Record<string, unknown>>): DeployOptions {
  const options: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(PLACE, name))
      throw badRequest(`${JSON.stringify(name)} is not known here (${Object.keys(PLACE).join(', ')})`)
    if (typeof value !== 'string') throw badRequest(`"${name}" must be a string`)
    options[name] = value
  }
  // A browser sends what the file was called, whatever it is: only names of archives say where they go.
  if (options.name !== undefined && extname(options.name) !== '.zapp') delete options.name
  return options
}

function count(text: string | null): number | undefined {
  if (text === null) return undefined
  if (!/^[0-9]{1,6}$/.test(text)) throw badRequest(`"lines" must be a number, got ${JSON.stringify(text)}`)
  return Number(text)
}
