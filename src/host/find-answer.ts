import type { Apps } from './apps.ts'
import type { Found } from './front.ts'
import { LANDING_HEADERS, reason, renderLanding } from './landing.ts'
import { refusal } from './reply.ts'

export const STARTING = refusal(503, 'The app is being started.', { 'Retry-After': '1' })

/**
 * Who answers a path: the app with the longest mount above it; where there is none, the host.
 *
 * @param host name of a virtual host; any other means the default one
 * @param path decoded, begins with "/"
 * @param detail tell why apps failed
 */
export function findAnswer(apps: Apps, host: string, path: string, method: string, detail: boolean): Found {
  const slot = apps.slots.find(host, path)
  if (slot?.serving) {
    const { deployment, parts } = slot.serving
    return { app: { id: slot.id, version: parts.version }, deployment }
  }
  if (slot) {
    const { view } = slot
    if (view.state === 'starting') return STARTING
    const text = `${view.name} is not available. ${reason(view, detail)}`
    return refusal(503, text, { 'Retry-After': '10' })
  }
  if (path !== '/') return refusal(404, 'No app is mounted here.')
  if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'This page can only be read.', { Allow: 'GET, HEAD' })
  return { status: 200, body: renderLanding(apps.slots.on(host), detail), headers: LANDING_HEADERS }
}
