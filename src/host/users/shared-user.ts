import { type Finding, warning } from '../../errors.ts'
import type { Manifest } from '../../format/manifest-types.ts'

/** An app that serves, and the user that the settings give it. */
export interface AppAndUser {
  readonly manifest: Manifest
  readonly user: string | undefined
}

/**
 * ONE_USER where several apps run as the host's own user, or all of them as one other. Apps without code can read nothing.
 * Some that share a user of their own do as they were told.
 */
export function sharedUser(apps: readonly AppAndUser[]): Finding | undefined {
  const able = apps.filter(({ manifest: { entries, processes } }) => entries.size + processes.size > 0)
  const users = new Set(able.map(({ user }) => user))
  const own = able.filter(({ user }) => user === undefined).length
  const count = users.size === 1 ? able.length : own
  if (count < 2) return undefined
  const [only] = users
  const user = users.size === 1 && only !== undefined ? `user ${only}` : 'the host’s own user'
  return warning('ONE_USER', '', { count, user })
}
