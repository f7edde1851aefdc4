import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { openArchive } from '../../../src/archive/archive.ts'
import { type App, type LoadOptions, type LogLine, loadHosted } from '../../../src/runtimes/load.ts'
import { listen } from '../../helpers/load.ts'
import { type Files, makeArchive } from '../../helpers/make-archive.ts'
import { tmpDir } from '../../helpers/tmp.ts'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

export interface PythonApp {
  readonly app: App
  readonly origin: string
  readonly errors: { readonly code?: string; readonly message: string }[]
  readonly log: LogLine[]
}

/** Loads `app.py` as a host does, and answers on a free port; closed after the test. */
export async function servePython(
  code: string,
  manifest: Record<string, unknown> = {},
  { files = {}, ...options }: LoadOptions & { readonly files?: Files } = {},
): Promise<PythonApp> {
  const dir = await tmpDir()
  const entry = { type: 'wsgi', app: 'app:application' }
  const file = await makeArchive(dir, { entry, ...manifest }, { 'app.py': code, ...files })
  const errors: PythonApp['errors'] = []
  const log: LogLine[] = []
  const archive = await openArchive(file)
  ends.push(() => archive.close())
  const app = await loadHosted(archive, {
    cache: join(dir, 'cache'),
    data: join(dir, 'data'),
    onError: (error) => void errors.push(error as Error),
    onLog: (line) => void log.push(line),
    ...options,
  }).catch((error: unknown) => {
    throw Object.assign(error as Error, { log })
  })
  ends.push(() => app.close({ graceMs: 0 }))
  const origin = await listen(createServer(app.listener).on('upgrade', app.upgrade))
  return { app, origin, errors, log }
}
