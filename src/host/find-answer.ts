import type { Apps } from './apps.ts'
import type { Found } from './front.ts'
import { LANDING_HEADERS, reason, renderLanding } from './landing.ts'
import { refusal } from './reply.ts'

export const STARTING = refusal(503, 'The app is being started.', { 'Retry-After': '1' })

/**
 * Who answers a path: the app with the longest mount above it; where there is none, the host.
 *
 * @param path decoded, begins with "/"
 * @param detail tell why apps failed
 */
export function findAnswer(apps: Apps, path: string, method: string, detail: boolean): Found {
  const slot = apps.find(path)
  if (slot?.serving) return { mount: slot.status.mount, deployment: slot.serving.deployment }
  if (slot?.status.state === 'starting') return STARTING
  if (slot) {
    const text = `${slot.status.name} is not available. ${reason(slot.status, detail)}`
    return refusal(503, text, { 'Retry-After': '10' })
  }
  if (path !== '/') return refusal(404, 'No app is mounted here.')
  if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'This page can only be read.', { Allow: 'GET, HEAD' })
  return { status: 200, body: renderLanding(apps.statuses, detail), headers: LANDING_HEADERS }
}
