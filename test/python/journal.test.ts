import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { pack } from '../../src/pack/pack.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { ROOT } from './python.ts'

/** Requests on stdin, answers on stdout, each through wsgiref's validator: as bytes in latin-1. */
const SCRIPT = `
import io, json, sys, zapp
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator
loaded = zapp.load(sys.argv[1], mount="/journal", cache=sys.argv[2], data=sys.argv[3])
app = validator(loaded)
answers = []
for method, target, kind, body, cookie in json.load(sys.stdin):
    if target == "newest":
        target = answers[-1]["location"]
    path, _, query = target.partition("?")
    environ = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_TYPE": kind,
               "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body.encode("latin-1")), "HTTP_COOKIE": cookie}
    setup_testing_defaults(environ)
    got = []
    result = app(environ, lambda status, fields, exc=None: got.append((status, dict(fields))) or (lambda data: None))
    content = b"".join(result)
    result.close()
    status, fields = got[0]
    answers.append({"status": int(status[:3]), "body": content.decode("latin-1"), "location": fields.get("Location"),
                    "length": fields.get("Content-Length"), "cookie": fields.get("Set-Cookie")})
loaded.close()
print(json.dumps(answers))
`

const FORM = 'application/x-www-form-urlencoded'
const PART = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n\0\r\n\xff\n\r\n--x--\r\n'

type Ask = readonly [method: string, target: string, type?: string, body?: string, cookie?: string]
interface Answer {
  readonly status: number
  readonly body: string
  readonly location: string | null
  readonly length: string | null
  readonly cookie: string | null
}

const ASKED: readonly Ask[] = [
  ['GET', '/journal/'],
  ['POST', '/journal/notes', FORM, 'text=Rain+%3Call+day%3E&author=Ada'],
  ['GET', '/journal/latest'],
  ['GET', 'newest'],
  ['GET', '/journal/', '', '', 'author=Ada'],
  ['POST', '/journal/files', 'multipart/form-data; boundary=x', PART],
  ['GET', '/journal/files/a.bin'],
  ['HEAD', '/journal/files/a.bin'],
  ['GET', '/journal/files/..%2f'],
  ['POST', '/journal/echo', 'text/x', 'abc'.repeat(50_000)],
  ['GET', '/journal/env?a=b%20c'],
  ['GET', '/journal/big?n=100001'],
  ['GET', '/journal/big?n=-1'],
  ['GET', '/journal/echo'],
  ['POST', '/journal/notes', FORM, 'text='],
  ['GET', '/journal/healthz'],
  ['GET', '/journal/static/journal.css'],
  ['GET', '/journal/zapp.json'],
]

test('the example app in plain WSGI: notes, files, streams, cookies, below a mount', async () => {
  const dir = await tmpDir()
  const { file } = await pack(join(ROOT, 'fixtures/apps/journal'), { out: join(dir, 'journal.zapp') })
  const answers: Answer[] = JSON.parse(
    execFileSync('python3', ['-W', 'error', '-c', SCRIPT, file, join(dir, 'cache'), join(dir, 'data')], {
      input: JSON.stringify(
        ASKED.map(([method, target, type = '', body = '', cookie = '']) => [method, target, type, body, cookie]),
      ),
      encoding: 'utf8',
      env: { ...process.env, PYTHONPATH: join(ROOT, 'python') },
      maxBuffer: 2 ** 24,
    }),
  )
  expect(answers.map(({ status }) => status)).toEqual([
    ...[200, 303, 302, 200, 200, 303, 200, 200, 404, 200, 200, 200, 400, 405, 400, 200, 200, 404],
  ])
  const at = (method: string, target: string) => answers[ASKED.findIndex(([m, t]) => m === method && t === target)]!
  expect(at('GET', '/journal/').body).toContain('Nothing written yet')
  expect(at('POST', '/journal/notes')).toMatchObject({
    location: '/journal/',
    cookie: 'author=Ada; Path=/journal/; SameSite=Lax',
  })
  expect(at('GET', '/journal/latest').location).toMatch(/^\/journal\/notes\/[0-9]+-[0-9a-f]+$/)
  expect(at('GET', 'newest').body).toContain('Rain &lt;all day&gt;')
  expect(answers[4]?.body).toMatch(/value="Ada"[\s\S]*Rain &lt;all day&gt;/)
  expect(at('GET', '/journal/files/a.bin')).toMatchObject({ body: '\0\r\n\xff\n', length: '5' })
  expect(at('HEAD', '/journal/files/a.bin')).toMatchObject({ body: '', length: '5' })
  expect(at('POST', '/journal/echo').body).toBe('abc'.repeat(50_000))
  expect(JSON.parse(at('GET', '/journal/env?a=b%20c').body)).toMatchObject({
    SCRIPT_NAME: '/journal',
    PATH_INFO: '/env',
    QUERY_STRING: 'a=b%20c',
  })
  expect(at('GET', '/journal/big?n=100001').body).toHaveLength(100_001)
  expect(at('GET', '/journal/static/journal.css').body).toContain('color-scheme')
})
