import { fail, throwIfErrors } from '../errors.ts'
import { limitsWith } from '../format/limits.ts'
import type { OpenOptions } from './archive.ts'
import { BUILD_INFO_PATH, type BuildInfo, parseBuildInfo } from './build-info.ts'
import { ContentReader } from './content-reader.ts'
import { type Holdings, readHoldings } from './holdings.ts'
import type { HttpOptions } from './http-range.ts'
import { readLayout } from './layout.ts'
import { checkRemotePlacement } from './remote-placement.ts'
import { UrlSource } from './url-source.ts'

export interface RemoteOptions extends OpenOptions, HttpOptions {}

/** What an archive far away says of itself. Sizes and SHA-256 of its entries are claims: no content was read. */
export interface RemoteArchive extends Holdings {
  /** Size of the file. */
  readonly bytes: number
  readonly build: BuildInfo | undefined
  /** Answers that it took, and the bytes in them. */
  readonly requests: number
  readonly received: number
}

/**
 * What the first request asks for. Directory and metadata of an Express app with its 650 files take 104 kB; another
 * request would take longer than some kilobytes that nobody needs.
 */
const TAIL = 128 * 1024
/** Ten times what 30,000 packages take. What is larger is left aside, as a build.json that cannot be read is. */
const MAX_BUILD_INFO = 32 * 1024 * 1024

/**
 * Reads the directory, zapp.json, contents.json and build.json of an archive behind http or https by range requests,
 * and nothing else: two requests where directory and metadata lie in the last 128 KiB.
 *
 * The layout is checked as far as the directory tells (remote-placement.ts). What is wrong in the manifest or the index
 * is in `findings`, as {@link Holdings} says: not thrown, so that `manifestText` is there to show it.
 *
 * @throws ZappError URL_*; findings of the layout; USAGE for what is no URL
 */
export async function readRemote(url: string, options: RemoteOptions = {}): Promise<RemoteArchive> {
  const limits = limitsWith(options.limits)
  const source = await UrlSource.open(parseUrl(url), TAIL, options)
  const layout = await readLayout(source, limits, checkRemotePlacement)
  throwIfErrors(layout.findings)
  const reader = new ContentReader(source)
  const holdings = await readHoldings(reader, layout.entries, { limits })
  const entry = holdings.entries.get(BUILD_INFO_PATH)
  const build = entry && entry.size <= MAX_BUILD_INFO ? parseBuildInfo(await reader.read(entry)) : undefined
  const { size: bytes, requests, received } = source
  return { ...holdings, bytes, build, requests, received }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw wrong('the URL must begin with http:// or https://')
  // It would be shown in messages and in the answer, and `fetch` refuses it.
  if (url.username !== '' || url.password !== '') throw wrong('a URL must hold neither user nor password')
  return url
}

function wrong(problem: string): Error {
  return fail('USAGE', '', { problem, command: 'inspect' })
}
