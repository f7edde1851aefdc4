import { fileURLToPath } from 'node:url'
import { asZappError, escapeUnsafe } from '../../errors.ts'
import { type AppView, isUp } from '../app-view.ts'
import type { DeployInput, Host } from '../host.ts'
import { type Call, sendText } from './call.ts'

const PREFIX = '/manager/text/'

/** The verbs of Tomcat's manager that scripts use (Tomcat 10.1, "Manager App How-To"). */
const VERBS: Readonly<Record<string, (call: Call, host: Host) => Promise<string>>> = {
  async list(_, host) {
    const own = host.apps.filter((app) => app.host === '')
    const rows = own.map(
      (app) => `${app.mount || '/'}:${isUp(app) ? 'running' : 'stopped'}:0:${app.name}##${escapeUnsafe(app.version)}`,
    )
    return ['Listed applications for virtual host [localhost]', ...rows].join('\n')
  },

  /** With PUT the archive is the body; with GET `war` is the `file:` URL of one on the host's machine. */
  async deploy(call, host) {
    const { query } = call
    const path = contextPath(query.get('path'))
    const exists = host.apps.some((app) => app.host === '' && app.mount === mountOf(path))
    if (exists && query.get('update') !== 'true') throw new Failed(`Application already exists at path [${path}]`)
    const version = query.get('version')
    await host.deploy(inputOf(call), { path, ...(version ? { version } : {}) })
    return `Deployed application at context path [${path}]`
  },

  async undeploy({ query }, host) {
    const app = appAt(host, query.get('path'))
    await host.undeploy(app.id)
    return `Undeployed application at context path [${app.mount || '/'}]`
  },

  async reload({ query }, host) {
    const app = appAt(host, query.get('path'))
    await host.restart(app.id)
    return `Reloaded application at context path [${app.mount || '/'}]`
  },
}

/** What Tomcat says in words, where nothing of ours went wrong. */
class Failed extends Error {}

/** Whether a path is one of the text interface, known or not. */
export function isTomcatText(path: string): boolean {
  return path.startsWith(PREFIX)
}

/** Answers as Tomcat does: always 200, and the first line begins with `OK - ` or `FAIL - `. */
export async function tomcatText(path: string, call: Call, host: Host): Promise<void> {
  sendText(call.res, 200, 'text/plain', `${await answer(path.slice(PREFIX.length), call, host)}\n`)
}

async function answer(verb: string, call: Call, host: Host): Promise<string> {
  const run = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined
  if (!run) return `FAIL - Unknown command [${verb.replace(/[^\x20-\x7e]/g, '?')}]`
  try {
    return `OK - ${await run(call, host)}`
  } catch (error) {
    if (!call.req.complete) call.res.setHeader('Connection', 'close')
    if (error instanceof Failed) return `FAIL - ${error.message}`
    const { code, message } = asZappError(error)
    return `FAIL - ${code}: ${message}`
  }
}

function inputOf({ req, query }: Call): DeployInput {
  const war = query.get('war')
  if (req.method === 'PUT') return { stream: req }
  if (!war?.startsWith('file:')) throw new Failed('Invalid parameters supplied for command [/deploy]')
  return { path: fileURLToPath(war) }
}

function appAt(host: Host, given: string | null): AppView {
  const path = contextPath(given)
  const app = host.apps.find((one) => one.host === '' && one.mount === mountOf(path))
  if (!app) throw new Failed(`No context exists named [${path}]`)
  return app
}

function contextPath(given: string | null): string {
  if (given === null || !given.startsWith('/'))
    throw new Failed(`Invalid context path [${given ?? 'null'}] was specified`)
  return given
}

function mountOf(path: string): string {
  return path === '/' ? '' : path
}
