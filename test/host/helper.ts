import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach } from 'vitest'
import type { ZappError } from '../../src/errors.ts'
import { type Host, type HostEvent, type ServeOptions, serve } from '../../src/host/serve.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { isClean, nothingIsLeft } from './left-behind.ts'

const hosts: Host[] = []
/** Else a host of the whole file runs, and what it leaves behind shows at the end. */
let wasClean = true

beforeEach(async () => {
  wasClean = await isClean()
})
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.close({ drainMs: 0 })))
  if (wasClean) await nothingIsLeft()
})
afterAll(nothingIsLeft)

export interface Served {
  readonly host: Host
  readonly events: HostEvent[]
  readonly get: (path: string, init?: RequestInit) => Promise<Response>
  readonly text: (path: string) => Promise<string>
}

export const stateDir = await tmpDir()

/** Serves paths in this process, on a free port; closed after the test. */
export async function start(paths: string | readonly string[], options: Partial<ServeOptions> = {}): Promise<Served> {
  const events: HostEvent[] = []
  const host = await serve({
    apps: [paths].flat().map((path) => ({ path })),
    port: 0,
    cache: join(stateDir, 'cache'),
    data: join(stateDir, 'data'),
    log: (event) => events.push(event),
    ...options,
  })
  hosts.push(host)
  const get = (path: string, init?: RequestInit) =>
    fetch(new URL(path, host.address.url), { redirect: 'manual', ...init })
  return { host, events, get, text: async (path) => (await get(path)).text() }
}

export const entry = { entry: { type: 'node', module: 'app.cjs' } }

/** An app that answers with a text and what it sees of the request's path. */
export const says = (text: string): { 'app.cjs': string } => ({
  'app.cjs': `module.exports = (req, res) => res.end(${JSON.stringify(text)} + ' ' + (req.baseUrl ?? '') + '|' + req.url)`,
})

/** An archive under a name of its own, put there in one step. */
export async function putArchive(target: string, manifest: object, files: Record<string, string>): Promise<string> {
  const made = await makeArchive(join(target, '..'), { ...manifest }, files)
  await rename(made, target)
  return target
}

/** A settings file in a fresh folder. @param value text, or what is written as JSON */
export async function settingsFile(value: unknown): Promise<string> {
  const file = join(await tmpDir(), 'zapp.host.json')
  await writeFile(file, typeof value === 'string' ? value : JSON.stringify(value))
  return file
}

/** Archives of given file names in a fresh folder. */
export async function folderOf(
  apps: Record<string, readonly [manifest: object, files: Record<string, string>]>,
): Promise<string> {
  const dir = await tmpDir()
  for (const [name, [manifest, files]] of Object.entries(apps)) await putArchive(join(dir, name), manifest, files)
  return dir
}

export const rejection = (promise: Promise<unknown>): Promise<ZappError | undefined> =>
  promise.then(
    () => undefined,
    (error) => error as ZappError,
  )
