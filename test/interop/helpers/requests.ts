import type { Asked } from '../../helpers/ask.ts'

/*
 * The table of requests that every container is asked, of the notebook in either language: what is answered is the
 * same, byte for byte. Rows with `foreign` are about paths that many servers rewrite before anybody sees them.
 */

export interface Row extends Asked {
  readonly status: number
  /** Statuses that servers of others may answer instead, each with the reason. */
  readonly foreign?: Readonly<Record<number, string>>
}

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const GZIP = { 'Accept-Encoding': 'gzip' }
const CSS = '/assets/site.css'
const BYTES = Buffer.from(Array.from({ length: 2 ** 20 }, (_, i) => (i * 7) % 256))

const REFUSED = 'refuses what a path of files cannot mean'
const NORMAL = 'resolves dot segments itself; the app is asked for the path that is left'

const get = (path: string, status = 200, headers?: Row['headers'], foreign?: Row['foreign']): Row => ({
  ...{ method: 'GET', path, status },
  ...(headers && { headers }),
  ...(foreign && { foreign }),
})
const send = (method: string, path: string, status: number, headers: Row['headers'], body: string | Buffer): Row => ({
  ...{ method, path, status, body },
  ...(headers && { headers }),
})

export const REQUESTS: readonly Row[] = [
  get(''),
  get('/'),
  { method: 'HEAD', path: '/', status: 200 },
  get('/?q=a%20b&q=%2F'),
  send('POST', '/notes', 303, FORM, 'text=Water+the+%3Cplants%3E&author=Ada'),
  get('/', 200, { Cookie: 'a=b; author=Ada' }),
  send('POST', '/notes', 400, FORM, 'author=Ada'),
  send('POST', '/notes', 413, FORM, `text=${'x'.repeat(70_000)}`),
  send('POST', '/echo', 200, { 'Content-Type': 'application/octet-stream' }, BYTES),
  send('POST', '/echo', 200, { 'Content-Type': 'text/plain' }, ''),
  get('/where/caf%C3%A9/a%20b?x=%2F&y=%C3%A9'),
  get('/where/%7Eada/a+b;c=d'),
  get('/where/100%25'),
  get('/headers', 200, { 'Accept-Language': 'de, en;q=0.5', Authorization: 'Bearer abc', 'X-One': '1' }),
  get('/private', 401),
  get('/private', 200, { Authorization: `Basic ${Buffer.from('ada:secret').toString('base64')}` }),
  get('/stream'),
  get('/nothing', 204),
  get('/same', 304),
  get('/missing', 404),
  send('PUT', '/notes', 404, FORM, 'text=a'),
  get('/old', 308),
  get(CSS),
  get(CSS, 200, GZIP),
  { method: 'HEAD', path: CSS, headers: GZIP, status: 200 },
  get(CSS, 206, { Range: 'bytes=10-19' }),
  get(CSS, 416, { Range: 'bytes=999999-' }),
  get(CSS, 304, { 'If-None-Match': '*' }),
  send('POST', CSS, 405, FORM, 'a=b'),
  get('/assets/missing.css', 404),
  get('/zapp.json', 404),
  get('/ZAPP-INF/contents.json', 404),
  get('/where/a%2Fb', 200, undefined, { 404: REFUSED }),
  get('/assets/%2e%2e/notes.py', 400, undefined, { 404: NORMAL }),
  { method: 'DELETE', path: '/notes', status: 204 },
  get('/'),
]

export function titleOf({ method, path, headers = {}, body }: Row): string {
  const names = Object.keys(headers).filter((name) => name !== 'Content-Type')
  const length = body === undefined ? '' : `, ${Buffer.byteLength(body)} bytes`
  return `${method} ${path}${names.map((name) => `, ${name}`).join('')}${length}`
}
