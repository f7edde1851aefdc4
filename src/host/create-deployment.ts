import type { Deployment } from './deployment.ts'
import type { Front } from './front.ts'
import { InProcess, type InProcessOptions } from './in-process.ts'
import type { StoredApp } from './prepare.ts'
import { Isolated, type IsolatedOptions } from './workers/isolated.ts'
import { hasWorkers } from './workers/launch.ts'

/**
 * Code of an app never runs in the host's own process. Static sites have none, and programs have processes of their own:
 * these the host answers for by itself.
 */
export function createDeployment(
  stored: StoredApp,
  options: InProcessOptions & Pick<IsolatedOptions, 'app' | 'accessLog' | 'onReport'>,
  front: Front,
): Deployment {
  if (!hasWorkers(stored.manifest)) return new InProcess(stored, options)
  return new Isolated(stored, {
    ...options,
    onAccess: (record) => front.log(record),
    onReturn: (socket, bytes, mixed) => front.receive(socket, bytes, mixed),
    onCut: (socket) => front.refuse(socket),
  })
}
