import { request } from 'node:http'
import { expect, it } from 'vitest'
import { folderOf, start } from './helper.ts'

/* Apps that break the rules of PEP 3333, behind zapp serve: what clients get, what the log says, and that it goes on. */

const APP = `
def application(environ, start_response):
    path, text = environ["PATH_INFO"], [("Content-Type", "text/plain")]
    if path == "/before": raise ValueError("no such note")
    if path == "/header": start_response("200 OK", [("X-A", "1\\r\\nSet-Cookie: evil=1")]); return [b"x"]
    if path == "/status": start_response("OK", text); return [b"x"]
    if path == "/silent": return [b"x"]
    start_response("200 OK", text)
    if path == "/after": raise ValueError("changed its mind")
    if path == "/str": return ["text"]
    if path == "/none": return None
    if path == "/middle": return broken()
    if path == "/past":
        length = int(environ["CONTENT_LENGTH"])
        return [environ["wsgi.input"].read(length), b"|", environ["wsgi.input"].read(10), environ["wsgi.input"].read()]
    return [b"fine"]

def broken():
    yield b"half"
    raise ValueError("in the middle")
`

/** [what it does, path, status, what the log says] */
const FAULTS: readonly (readonly [string, string, number | 'cut', RegExp])[] = [
  ['raises before start_response', '/before', 500, /ValueError: no such note/],
  ['raises after start_response', '/after', 500, /ValueError: changed its mind/],
  ['returns str', '/str', 500, /bytes.*str/],
  ['returns nothing', '/none', 500, /None/],
  ['puts CR LF into a header', '/header', 500, /X-A/],
  ['has a status that is none', '/status', 500, /status/i],
  ['never calls start_response', '/silent', 500, /start_response/],
  ['breaks off in the middle', '/middle', 'cut', /ValueError: in the middle/],
]

it('each fault is told in the log with the name of the app, and costs its own request only', async () => {
  const served = await start(await folderOf({ 'notes.zapp': [MANIFEST, { 'app.py': APP }] }))
  const { url } = served.host.address
  const log = () => served.events.flatMap((event) => (event.type === 'log' ? [`${event.app} ${event.line.text}`] : []))
  for (const [fault, path, expected, cause] of FAULTS) {
    const before = log().length
    const { seen, head } = await ask(`${url}notes${path}`)
    expect([fault, seen, head['set-cookie']]).toEqual([fault, expected, undefined])
    const own = () =>
      log()
        .slice(before)
        .filter((line) => line.startsWith('/notes '))
    await expect.poll(() => own().join('\n')).toMatch(cause)
    expect(await served.text('/notes/')).toBe('fine')
  }
  // Who reads past its body finds its end.
  const answer = await fetch(`${url}notes/past`, { method: 'POST', body: 'abc' })
  expect(await answer.text()).toBe('abc|')
})

const MANIFEST = {
  name: 'notes',
  entry: { type: 'wsgi', app: 'app:application' },
  workers: { processes: 1, threads: 2 },
}

function ask(url: string): Promise<{ seen: number | 'cut' | undefined; head: NodeJS.Dict<string | string[]> }> {
  return new Promise((resolve) => {
    const req = request(url, { agent: false }, (res) => {
      res.resume().on('error', () => {})
      res.on('close', () => resolve({ seen: res.complete ? res.statusCode : 'cut', head: res.headers }))
    })
    req.on('error', () => resolve({ seen: 'cut', head: {} })).end()
  })
}
