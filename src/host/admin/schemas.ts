type Schema = Readonly<Record<string, unknown>>

const text = { type: 'string' }
const number = { type: 'number' }
const flag = { type: 'boolean' }
const time = { type: 'string', format: 'date-time' }
const digest = { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' }
const list = (items: Schema) => ({ type: 'array', items })
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })

/** @param optional names of properties that may be missing */
function shape(properties: Readonly<Record<string, Schema>>, ...optional: string[]): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', properties, required }
}

/** Shapes of what the admin API answers, JSON Schema 2020-12. A test holds real answers against them. */
export const SCHEMAS: Readonly<Record<string, Schema>> = {
  Host: shape({ version: text, node: text, urls: list(text), ready: flag, since: time }),
  AppList: list(ref('App')),
  App: shape(
    {
      id: text,
      name: text,
      version: text,
      title: text,
      description: text,
      host: text,
      mount: text,
      url: text,
      source: text,
      digest: text,
      state: { enum: ['starting', 'live', 'sleeping', 'degraded', 'failed', 'stopped'] },
      since: time,
      error: ref('Trouble'),
      versions: list(ref('Version')),
      draining: number,
      pids: list(number),
      memory: number,
    },
    'error',
    'memory',
  ),
  Version: shape({ version: text, digest, deployedAt: time, current: flag }),
  DeployResult: shape(
    { app: ref('App'), deployed: ref('Version'), previous: ref('Version'), unchanged: flag, ms: number },
    'previous',
  ),
  DeployPlan: shape(
    {
      id: text,
      name: text,
      version: text,
      digest,
      live: ref('Version'),
      diff: { type: 'object', description: 'As zapp diff --json prints it.' },
      findings: list(ref('Finding')),
    },
    'live',
    'diff',
  ),
  Metrics: { type: 'object', additionalProperties: ref('AppMetrics') },
  AppMetrics: shape({
    name: text,
    requests: { type: 'object', additionalProperties: { type: 'object', additionalProperties: number } },
    bytes: number,
    latency: list(number),
    seconds: number,
    restarts: number,
  }),
  Trouble: shape({ code: text, message: text, fix: text }),
  Finding: shape(
    {
      code: text,
      severity: text,
      path: text,
      line: number,
      column: number,
      args: { type: 'object' },
      message: text,
      fix: text,
    },
    'line',
    'column',
  ),
  Error: shape({
    error: shape({ code: text, message: text, fix: text, findings: list(ref('Finding')) }),
  }),
}
