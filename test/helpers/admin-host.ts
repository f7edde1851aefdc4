import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type Host, serve } from '../../src/host/serve.ts'
import { tmpDir } from './tmp.ts'

export interface AdminHost {
  readonly host: Host
  /** Holds apps, cache, data and state. */
  readonly dir: string
  /** Of the admin API. */
  readonly url: string
  /** File of its token. */
  readonly tokenFile: string
}

/** Serves an empty folder in this process, with the admin API, on free ports, until the tests of the file have ended. */
export async function startAdminHost(): Promise<AdminHost> {
  const dir = await tmpDir()
  await mkdir(join(dir, 'apps'))
  const host = await serve({
    apps: [{ path: join(dir, 'apps') }],
    ...{ cache: join(dir, 'cache'), data: join(dir, 'data'), state: join(dir, 'state') },
    port: 0,
    admin: { host: '127.0.0.1', port: 0 },
  })
  afterAll(() => host.close({ drainMs: 0 }))
  const { url, tokenFile } = host.admin!
  return { host, dir, url: url!, tokenFile }
}
