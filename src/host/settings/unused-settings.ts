import { type Finding, warning } from '../../errors.ts'
import { hint } from '../../format/did-you-mean.ts'
import type { AppSlot } from '../deployments/app-slot.ts'
import type { HostSettings } from './read-settings.ts'

/** SETTINGS_APP for each key of "apps" that is of no app. A warning: settings may come before their app. */
export function settingsOfNoApp({ apps = {} }: Partial<HostSettings>, slots: readonly AppSlot[]): Finding[] {
  const known = new Set(slots.flatMap(namesOf))
  return Object.keys(apps)
    .filter((key) => !known.has(key))
    .map((app) => warning('SETTINGS_APP', '', { app, hint: hint(app, [...known]) }))
}

/** Of an archive that cannot be read nobody knows the name: it may be that of its file. */
function namesOf({ id, mount, view, serving, candidates }: AppSlot): string[] {
  const isRead = serving !== undefined || candidates.some(({ manifest }) => manifest)
  return isRead ? [id, view.name] : [id, view.name, mount.slice(1)]
}

/** What a host reads when it starts, and not again. */
const AT_START = ['admin', 'folders'] as const

/** SETTINGS_AT_START for each key that another value was given since. */
export function settingsFromStart(start: Partial<HostSettings> = {}, now: Partial<HostSettings> = {}): Finding[] {
  return AT_START.filter((key) => JSON.stringify(start[key]) !== JSON.stringify(now[key])).map((key) =>
    warning('SETTINGS_AT_START', '', { key }),
  )
}
