import type { AppView } from '../app-view.ts'
import type { DeployPlan, DeployResult, Host } from '../host.ts'
import { errorView, findingView } from './call.ts'
import { residentBytes } from './resident.ts'

/** What the API tells of the host. */
export function hostView(host: Host, about: { version: string }) {
  const { listeners, ready, since } = host
  const urls = listeners.flatMap(({ url, isRedirect }) => (isRedirect ? [] : [url]))
  return { version: about.version, node: process.versions.node, urls, ready, since }
}

/** What the API tells of an app: its view, where to find it, and the memory of its processes. */
export async function appView(host: Host, app: AppView) {
  const { error, ...rest } = app
  const memory = await residentBytes(app.pids)
  return {
    ...rest,
    url: urlOf(host, app),
    ...(memory === undefined ? {} : { memory }),
    ...(error ? { error: errorView(error) } : {}),
  }
}

export async function deployView(host: Host, { app, deployed, previous, unchanged, ms }: DeployResult) {
  return { app: await appView(host, app), deployed, ...(previous && { previous }), unchanged, ms: Math.round(ms) }
}

export function planView({ findings, ...plan }: DeployPlan) {
  return { ...plan, findings: findings.map(findingView) }
}

function urlOf({ address }: Host, { host, mount }: AppView): string {
  const url = new URL(address.url)
  if (host !== '') url.hostname = host
  return `${url.origin}${mount}/`
}
