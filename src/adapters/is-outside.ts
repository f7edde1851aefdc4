import { fetchRequest } from '../mount/fetch-request.ts'
import { judgeRequestPath } from '../mount/request-path.ts'
import type { App } from '../runtimes/load.ts'

/** Whether a request is none of the app's: the same judgement by which `app.listener` goes on to `next`. */
export function isOutside({ mount }: Pick<App, 'mount'>, request: Request): boolean {
  return judgeRequestPath(fetchRequest(request, mount)) === 404
}
