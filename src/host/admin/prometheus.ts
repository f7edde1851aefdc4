import type { Host } from '../host.ts'
import { type AppMetrics, LATENCY_BUCKETS } from '../metrics.ts'

/** `text/plain; version=0.0.4`: the exposition format that every Prometheus reads. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4'

/** What is told of an app beside its counters. */
export interface Gauges {
  readonly up: boolean
  readonly sleeping: boolean
  readonly processes: number
  readonly draining: number
  readonly memory?: number
}

type Labels = Readonly<Record<string, string>>

/**
 * Counters of all apps, and of the host itself, in Prometheus' text form. Units and names are those of its conventions:
 * seconds, bytes, `_total`.
 */
export function renderMetrics(
  apps: ReadonlyMap<string, { metrics: AppMetrics; gauges: Gauges }>,
  host: Pick<Host, 'certificates' | 'refusedConnections'>,
): string {
  const lines: string[] = []
  const family = (name: string, type: string, help: string) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    return (labels: Labels, value: number, suffix = '') => lines.push(`${name}${suffix}${render(labels)} ${value}`)
  }
  const each = (add: (labels: Labels, metrics: AppMetrics, gauges: Gauges) => void) => {
    for (const [id, { metrics, gauges }] of apps) add({ app: id, name: metrics.name }, metrics, gauges)
  }

  const requests = family('zapp_requests_total', 'counter', 'Requests by version and class of status.')
  each((labels, { requests: byVersion }) => {
    for (const [version, counts] of Object.entries(byVersion)) {
      for (const [status, count] of Object.entries(counts)) requests({ ...labels, version, status }, count)
    }
  })

  const latency = family(
    'zapp_request_duration_seconds',
    'histogram',
    'From the head of a request to the end of its answer.',
  )
  each((labels, { latency: counts, seconds }) => {
    let sum = 0
    for (const [i, count] of counts.entries()) {
      sum += count
      latency({ ...labels, le: i < LATENCY_BUCKETS.length ? String(LATENCY_BUCKETS[i]) : '+Inf' }, sum, '_bucket')
    }
    latency(labels, seconds, '_sum')
    latency(labels, sum, '_count')
  })

  const bytes = family('zapp_response_bytes_total', 'counter', 'Bytes sent, heads included.')
  each((labels, metrics) => bytes(labels, metrics.bytes))
  const restarts = family('zapp_restarts_total', 'counter', 'Processes of the app that had to be started again.')
  each((labels, metrics) => restarts(labels, metrics.restarts))
  const up = family('zapp_up', 'gauge', 'Whether the app answers.')
  each((labels, _, gauges) => up(labels, gauges.up ? 1 : 0))
  const sleeping = family('zapp_sleeping', 'gauge', 'Whether the app has no process until its next request.')
  each((labels, _, gauges) => sleeping(labels, gauges.sleeping ? 1 : 0))
  const processes = family('zapp_processes', 'gauge', 'Processes of the version that serves.')
  each((labels, _, gauges) => processes(labels, gauges.processes))
  const draining = family('zapp_draining', 'gauge', 'Versions that still end what they have begun.')
  each((labels, _, gauges) => draining(labels, gauges.draining))
  const memory = family('zapp_resident_memory_bytes', 'gauge', 'Resident memory of the processes of the app.')
  each((labels, _, gauges) => gauges.memory !== undefined && memory(labels, gauges.memory))
  const refused = family(
    'zapp_refused_connections_total',
    'counter',
    'Connections of addresses that had as many as the settings give one.',
  )
  refused({}, host.refusedConnections)
  const expiry = family(
    'zapp_certificate_expiry_timestamp_seconds',
    'gauge',
    'When the certificate of a listener stops being valid.',
  )
  // Listeners may have it in common.
  const byFile = new Map(host.certificates.map(({ files, validTo }) => [files.cert, validTo]))
  for (const [file, validTo] of byFile) expiry({ file }, validTo.getTime() / 1000)
  return `${lines.join('\n')}\n`
}

function render(labels: Labels): string {
  if (Object.keys(labels).length === 0) return ''
  const escaped = (value: string) => value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')}}`
}
