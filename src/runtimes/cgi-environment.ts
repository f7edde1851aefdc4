import { posix } from 'node:path'
import type { ScriptMatch } from './cgi-scripts.ts'
import { HOP_BY_HOP } from './hop-by-hop.ts'
import type { MountedRequest } from './place.ts'

/** Where a script and its files are. */
export interface CgiPlace {
  /** The run tree. */
  readonly root: string
  /** An absolute path in it: what the paths of the app's static files begin with. */
  readonly documentRoot: string
}

/**
 * Fields that never become HTTP_*: those with a variable of their own, those of the connection, and `Proxy`, which would
 * be HTTP_PROXY (CVE-2016-5388). Credentials for a proxy are none of the app's business.
 */
const NEVER: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  ...['content-length', 'content-type', 'proxy', 'proxy-authorization'],
])

/** Anything else in a name cannot be told from another field's once it is a variable: `_` would be a `-` (Q04). */
const NAME = /^[a-z0-9-]+$/

/**
 * The meta-variables of a request: RFC 3875 §4.1, FORMAT.md §CGI, G2 to G5.
 *
 * @param length bytes of the body, where the request has no Content-Length of its own
 * @returns undefined where the path has bytes that an environment cannot hold: they are not UTF-8
 */
export function metaVariables(
  req: MountedRequest,
  script: ScriptMatch,
  { root, documentRoot }: CgiPlace,
  length: number | undefined,
): Record<string, string> | undefined {
  const { headers, socket, url = '/', originalUrl = url, baseUrl = '', method = 'GET', httpVersion } = req
  const pathInfo = decodePath(script.rest)
  const scriptName = decodePath(baseUrl)
  if (pathInfo === undefined || scriptName === undefined) return undefined
  const mark = url.indexOf('?')
  const isSecure = 'encrypted' in socket && socket.encrypted === true
  const { name, port } = splitHost(headers.host ?? 'localhost')
  const bodyLength = headers['content-length'] ?? length
  const own: Record<string, string | undefined> = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: 'zapp',
    SERVER_PROTOCOL: `HTTP/${httpVersion}`,
    SERVER_NAME: name,
    SERVER_PORT: port ?? (isSecure ? '443' : '80'),
    SERVER_ADDR: address(socket.localAddress),
    REQUEST_METHOD: method,
    REQUEST_SCHEME: isSecure ? 'https' : 'http',
    HTTPS: isSecure ? 'on' : undefined,
    REQUEST_URI: originalUrl,
    SCRIPT_NAME: scriptName + script.name,
    SCRIPT_FILENAME: posix.join(root, script.path),
    DOCUMENT_ROOT: documentRoot,
    PATH_INFO: pathInfo === '' ? undefined : pathInfo,
    PATH_TRANSLATED: pathInfo === '' ? undefined : documentRoot + pathInfo,
    QUERY_STRING: mark === -1 ? '' : url.slice(mark + 1),
    // A request that came through memory has no peer. It must not pass for one of this machine.
    REMOTE_ADDR: address(socket.remoteAddress) ?? '0.0.0.0',
    REMOTE_HOST: address(socket.remoteAddress) ?? '0.0.0.0',
    REMOTE_PORT: socket.remotePort?.toString(),
    CONTENT_LENGTH: bodyLength?.toString(),
    CONTENT_TYPE: headers['content-type'] && asText(headers['content-type']),
    // php-cgi answers nobody without it: it is how a web server says that it stands in front.
    REDIRECT_STATUS: '200',
  }
  const variables = fieldVariables(req)
  for (const [name, value] of Object.entries(own)) if (value !== undefined) variables[name] = value
  return variables
}

/** Several fields of one name have been joined by Node as RFC 3875 §4.1.18 wants it. */
function fieldVariables({ headers }: MountedRequest): Record<string, string> {
  const perHop = new Set(
    headers.connection
      ?.toLowerCase()
      .split(',')
      .map((option) => option.trim()),
  )
  const variables: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== 'string' || !NAME.test(name) || NEVER.has(name) || (perHop.has(name) && name !== 'host'))
      continue
    variables[`HTTP_${name.toUpperCase().replaceAll('-', '_')}`] = asText(value)
  }
  return variables
}

/**
 * Node reads fields as latin-1 and writes environments as UTF-8. Bytes that are UTF-8 arrive as they were sent; others
 * are taken for latin-1, which RFC 9110 §5.5 calls historical.
 */
function asText(value: string): string {
  if (!BEYOND_ASCII.test(value)) return value
  const text = Buffer.from(value, 'latin1').toString('utf8')
  return text.includes('\ufffd') ? value : text
}

const BEYOND_ASCII = /[\x80-\xff]/

/** Every segment once, as RFC 3875 §4.1.5 wants it. Dot segments and controls have been refused before. */
function decodePath(path: string): string | undefined {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

function splitHost(host: string): { name: string; port: string | undefined } {
  const [, name = host, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(host) ?? []
  return { name, port: port || undefined }
}

/** An IPv4 peer of a listener for both families is written as IPv4. */
function address(text: string | undefined): string | undefined {
  return text?.replace(/^::ffff:(?=\d+\.)/, '')
}
