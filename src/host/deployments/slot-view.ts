import type { AppView } from '../app-view.ts'
import type { Candidate } from '../candidate.ts'
import type { AppRecord } from '../state.ts'
import type { Generation } from './generation.ts'
import { nameOf } from './release.ts'
import type { Serving } from './serving.ts'
import type { SlotState } from './slot-state.ts'

export interface SlotParts {
  readonly id: string
  readonly record: AppRecord
  readonly serving: Serving
  readonly state: SlotState
  /** The best first. */
  readonly candidates: readonly Candidate[]
}

/** What serves; else what failed; else what would serve: what did, the best file, the newest version. */
export function slotView({ id, record, serving, state, candidates }: SlotParts): AppView {
  const { host, mount, versions } = record
  const { current } = serving
  const [best] = candidates
  const kept = versions.find(({ digest }) => digest === record.current)
  const shown = current?.named ?? state.failed ?? kept ?? (best && nameOf(best)) ?? versions[0]
  const manifest = current?.manifest ?? best?.manifest
  return {
    id,
    name: shown?.name ?? '',
    version: shown?.version ?? '',
    title: manifest?.title ?? '',
    description: manifest?.description ?? '',
    host,
    mount,
    source: shown?.source ?? '',
    digest: current?.parts.digest ?? '',
    ...stateOf(state, current),
    versions: versions.map(({ version, digest, deployedAt }) => ({
      version,
      digest,
      deployedAt: new Date(deployedAt),
      current: digest === record.current,
    })),
    draining: serving.draining,
    pids: current?.pids ?? [],
  }
}

/** Of an app that is live it is told whether it sleeps. */
function stateOf(
  { value, since, error }: SlotState,
  current: Generation | undefined,
): Pick<AppView, 'state' | 'since' | 'error'> {
  const rest = value === 'live' ? current?.deployment.rest : undefined
  if (!rest) return { state: value, since, ...(error && { error }) }
  const state = rest.isAsleep ? 'sleeping' : value
  return { state, since: rest.since > since ? rest.since : since, ...(rest.error && { error: rest.error }) }
}
