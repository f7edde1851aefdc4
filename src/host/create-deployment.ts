import { throwIfErrors } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import type { MemoryCache } from '../mount/memory-cache.ts'
import type { Deployment } from './deployment.ts'
import type { Front } from './front.ts'
import { HOST_HONOURS } from './honours.ts'
import { InProcess, type InProcessOptions } from './in-process.ts'
import type { StoredApp } from './prepare.ts'
import { ArchiveAnswers } from './sleep/archive-answers.ts'
import { Sleeper } from './sleep/sleeper.ts'
import { Isolated, type IsolatedOptions } from './workers/isolated.ts'
import { hasWorkers } from './workers/launch.ts'

/** How what may sleep begins: `checked`, asleep, once it is known that its needs are met. */
export type Beginning = 'awake' | 'asleep' | 'checked'

export interface DeploymentOptions
  extends InProcessOptions,
    Pick<IsolatedOptions, 'app' | 'accessLog' | 'user' | 'onReport'> {
  /** ms after which it sleeps; where there is anything that could. Default: never. */
  readonly idle?: number | undefined
  /** Default: awake. */
  readonly begins?: Beginning
}

/** What all deployments of a host share. */
export interface Shared {
  readonly front: Front
  /** Bounds how many apps wake at once. */
  readonly wakes: <T>(work: () => Promise<T>) => Promise<T>
  /** Files that are answered for apps that sleep. */
  readonly memory: MemoryCache
}

/**
 * Code of an app never runs in the host's own process. Static sites have none, and programs have processes of their own:
 * these the host answers for by itself.
 */
export function createDeployment(
  stored: StoredApp,
  options: DeploymentOptions,
  { front, wakes, memory }: Shared,
): Deployment {
  const { idle, begins = 'awake', mount, config, earlier = [], onError } = options
  const make = (stored: StoredApp) => {
    if (!hasWorkers(stored.manifest, options.user)) return new InProcess(stored, options)
    return new Isolated(stored, {
      ...options,
      onAccess: (record) => front.log(record),
      onReturn: (socket, bytes, mixed) => front.receive(socket, bytes, mixed),
      onCut: (socket) => front.refuse(socket),
    })
  }
  if (idle === undefined || !maySleep(stored.manifest)) return make(stored)
  return new Sleeper(stored, {
    ...{ idleMs: idle, asleep: begins !== 'awake', make, onError, limit: wakes },
    answers: new ArchiveAnswers(stored, { mount, earlier, memory, onError }),
    check: async () => {
      if (begins !== 'checked') return
      const [{ openJudged }, { unmetNeeds }] = await Promise.all([
        import('../archive/judged-archive.ts'),
        import('../runtimes/unmet-needs.ts'),
      ])
      // Not the one that stays open: hundreds may begin so, and hardly any is ever read.
      const archive = await openJudged(stored.file)
      const findings = unmetNeeds(archive, { mount, config, honours: HOST_HONOURS })
      throwIfErrors(await findings.finally(() => archive.close()))
    },
  })
}

/** Scripts of CGI have no process between requests; background processes work without being asked. */
function maySleep({ entries, processes }: Manifest): boolean {
  return processes.size === 0 && [...entries.values()].some(({ type }) => type !== 'cgi')
}
