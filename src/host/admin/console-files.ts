import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { mediaType } from '../../format/media-types.ts'

const FOLDER = fileURLToPath(new URL('../../../console/', import.meta.url))

export interface ConsoleFile {
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string>>
}

/** The page may run and load what this listener serves, and nothing else; nobody may put it into a frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The files of the console by path: a request looks one up, and nothing else on the disk is within its reach. */
export async function consoleFiles(): Promise<ReadonlyMap<string, ConsoleFile>> {
  const files = new Map<string, ConsoleFile>()
  for (const name of await readdir(FOLDER)) {
    const headers = {
      'Content-Type': mediaType(name).type,
      'Content-Security-Policy': POLICY,
      'Cache-Control': 'no-cache',
    }
    files.set(name === 'index.html' ? '/' : `/${name}`, { body: await readFile(FOLDER + name), headers })
  }
  return files
}
