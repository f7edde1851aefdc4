import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ownIdentity } from '../../src/cache/process-id.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { buildProgram } from '../helpers/program.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { ask, children, ENV, lives, processesWith, serveScripts, until, variables } from './helpers/cgi.ts'

const HEAD = 'echo "Content-Type: text/plain"; echo'
const fds = () => readdirSync('/proc/self/fd').length

describe('meta-variables', () => {
  it('are those of RFC 3875 and the usual others, and nothing of ours comes with them', async () => {
    const { origin, app } = await serveScripts(
      { 'sub/env': ENV },
      { env: { MINE: 'yes', REQUEST_METHOD: 'WRONG' } },
      { mount: '/shop' },
    )
    const url = `${origin}/shop/cgi-bin/sub/env/p%20q/%C3%A9%2Fx;y?a=1&b=%20+c`
    const { body } = await ask(url, {
      method: 'POST',
      headers: {
        Host: 'example.com:81',
        'Content-Type': 'a/b; c',
        'Content-Length': '4',
        'X-A-B': 'caf\u00c3\u00a9',
        Connection: 'close',
      },
      body: 'body',
    })
    const text = body.toString()
    expect(text).toMatch(/\nbody$/)
    const { PATH, PWD, DOCUMENT_ROOT, SCRIPT_FILENAME, REMOTE_PORT, HOME, _, TZ, OLDPWD, SHLVL, ...got } =
      variables(text)
    expect(got).toMatchObject({
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_SOFTWARE: 'zapp',
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: 'example.com',
      SERVER_PORT: '81',
      SERVER_ADDR: '127.0.0.1',
      REMOTE_ADDR: '127.0.0.1',
      REMOTE_HOST: '127.0.0.1',
      REQUEST_METHOD: 'POST',
      REQUEST_SCHEME: 'http',
      REQUEST_URI: '/shop/cgi-bin/sub/env/p%20q/%C3%A9%2Fx;y?a=1&b=%20+c',
      SCRIPT_NAME: '/shop/cgi-bin/sub/env',
      PATH_INFO: '/p q/é/x;y',
      PATH_TRANSLATED: `${DOCUMENT_ROOT}/p q/é/x;y`,
      QUERY_STRING: 'a=1&b=%20+c',
      CONTENT_LENGTH: '4',
      CONTENT_TYPE: 'a/b; c',
      REDIRECT_STATUS: '200',
      HTTP_HOST: 'example.com:81',
      HTTP_X_A_B: 'café',
      LANG: 'C.UTF-8',
      NODE_ENV: 'production',
      MINE: 'yes',
    })
    expect(SCRIPT_FILENAME).toBe(`${DOCUMENT_ROOT}/cgi-bin/sub/env`)
    expect(PWD).toBe(`${DOCUMENT_ROOT}/cgi-bin/sub`)
    expect(Object.keys(got).filter((name) => /VITEST|npm_|HTTPS|REMOTE_USER|AUTH_TYPE/.test(name))).toEqual([])
    expect(app.mount).toBe('/shop')
  })

  it('never come from fields that could pass for others', async () => {
    const { origin } = await serveScripts({ env: ENV })
    const { hostname, port } = new URL(origin)
    const socket = connect(Number(port), hostname)
    socket.write(
      [
        ...['GET /cgi-bin/env HTTP/1.1', 'Host: a', 'Proxy: http://evil', 'X_Forwarded_For: 1', 'Content_Length: 9'],
        ...[
          'Authorization: Basic abc',
          'Proxy-Authorization: Basic def',
          'X.Y: 1',
          'Cookie: a=1',
          'Cookie: b=2',
          'X-S: 1',
        ],
        ...['X-S: 2', 'X-Hop: 1', 'Connection: close, X-Hop', 'TE: trailers', '', ''],
      ].join('\r\n'),
    )
    let text = ''
    for await (const chunk of socket) text += chunk
    const got = variables(text.replaceAll('\r', ''))
    expect(
      Object.keys(got)
        .filter((name) => name.startsWith('HTTP_'))
        .sort(),
    ).toEqual([...['HTTP_AUTHORIZATION', 'HTTP_COOKIE', 'HTTP_HOST', 'HTTP_X_S']])
    expect(got).toMatchObject({
      HTTP_COOKIE: 'a=1; b=2',
      HTTP_X_S: '1, 2',
      HTTP_AUTHORIZATION: 'Basic abc',
      SERVER_PORT: '80',
    })
    expect(got).not.toHaveProperty('CONTENT_LENGTH')
    expect(got).not.toHaveProperty('PATH_INFO')
    expect(got.QUERY_STRING).toBe('')
  })

  it('say what the app’s own fetch knows', async () => {
    const { app } = await serveScripts({ env: ENV })
    const answer = await app.fetch(new Request('https://a.example/cgi-bin/env/x?y', { method: 'PUT', body: 'in' }))
    const got = variables(await answer.text())
    expect(got).toMatchObject({
      HTTPS: 'on',
      SERVER_PORT: '443',
      REMOTE_ADDR: '0.0.0.0',
      PATH_INFO: '/x',
      CONTENT_LENGTH: '2',
    })
  })

  it('mean nothing to any shell on the way', async () => {
    const { origin } = await serveScripts({ env: `${HEAD}; env -0` })
    const hostile = [
      `'; exit 9; '`,
      '$(exit 9)`exit 9`',
      'a\\',
      `"$HOME" ' '' '\\''`,
      '\u00c3\u0081 \u00c2\u0081\u00c2\u0088',
      '*',
      '~ ! # & | > <',
    ]
    for (const value of hostile) {
      const path = encodeURIComponent(Buffer.from(value, 'latin1').toString())
      const { body } = await ask(`${origin}/cgi-bin/env/${path}?${path}`, {
        headers: { 'X-A': value, 'User-Agent': value },
      })
      const got = Object.fromEntries(
        body
          .toString()
          .split('\0')
          .map((pair) => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1)]),
      )
      const text = Buffer.from(value, 'latin1').toString()
      expect(got.PATH_INFO).toBe(`/${text}`)
      expect([got.HTTP_X_A, got.HTTP_USER_AGENT]).toEqual([text, text])
      expect(got.QUERY_STRING).toBe(path)
    }
  })

  it('of one script: all below its route is PATH_INFO', async () => {
    const routes = { '/git/*': { entry: 'main', strip: true }, '/one': { entry: 'main' } }
    const { origin } = await serveScripts(
      { env: ENV },
      { dir: undefined, script: 'cgi-bin/env' },
      { mount: '/m' },
      {},
      { routes },
    )
    const of = async (path: string) => {
      const { SCRIPT_NAME, PATH_INFO } = variables((await ask(origin + path)).body.toString())
      return [SCRIPT_NAME, PATH_INFO]
    }
    expect(await of('/m/git/a/b')).toEqual(['/m/git', '/a/b'])
    expect(await of('/m/git/')).toEqual(['/m/git', '/'])
    expect(await of('/m/git')).toEqual(['/m/git', undefined])
    expect(await of('/m/one')).toEqual(['/m', '/one'])
  })
})

describe('scripts', () => {
  it('are those that the archive has, by their exact names, and nothing else is', async () => {
    const files = { 'cgi-bin/data.txt': 'not a script', 'other/x': '#!/bin/sh\n', '404.html': 'not here' }
    const scripts = { 'a.sh': `${HEAD}; echo a "$#"`, 'é/b': `${HEAD}; echo b` }
    const { origin } = await serveScripts(scripts, {}, {}, files, { errors: { 404: '404.html' } })
    const got = async (path: string) => {
      const { status, body } = await ask(origin + path)
      return `${status} ${body.toString().trim()}`
    }
    expect(await got('/cgi-bin/a.sh?--version')).toBe('200 a 0')
    expect(await got('/cgi-bin/%61.sh')).toBe('200 a 0')
    expect(await got('/cgi-bin/%C3%A9/b/c')).toBe('200 b')
    for (const path of [
      '',
      '/',
      '/A.sh',
      '/a.sh%2Fx',
      '/a.sh%20',
      '/data.txt',
      '/é'.replace('é', '%C3%A9'),
      '/a',
      '/x',
      '/%2561.sh',
    ]) {
      expect(await got(`/cgi-bin${path}`), path).toBe('404 not here')
    }
    for (const path of ['/../other/x', '/%2e%2e/other/x', '/a.sh/..%2fx', '/a.sh/%00']) {
      expect((await ask(`${origin}/cgi-bin${path}`)).status, path).toBe(400)
    }
    expect((await ask(`${origin}/cgi-bin/a.sh/%ff`)).status).toBe(400)
  })

  it('that cannot be run are told when the app is loaded', async () => {
    const codes = async (text: string, entry = {}) =>
      serveScripts({ x: text }, entry, {}, { 'plain.txt': 'text' }).then(
        () => [],
        (error) => error.findings.map((f: { code: string; path: string }) => [f.code, f.path]),
      )
    expect(await codes('#!/no/such/perl -w\n')).toEqual([['NEED_COMMAND', 'cgi-bin/x']])
    expect(await codes('#!/usr/bin/env -S no-such-program x\n')).toEqual([['NEED_COMMAND', 'cgi-bin/x']])
    expect(await codes('#!/bin/sh\r\necho\r\n')).toEqual([['ENTRY_LOAD', 'cgi-bin/x']])
    const noScript = { dir: undefined, script: 'plain.txt' }
    expect(await codes(HEAD, noScript)).toEqual([['ENTRY_LOAD', 'plain.txt']])
  })

  it('open their own input, output and errors', async () => {
    const { origin, log } = await serveScripts({
      a: 'exec 5>/dev/stdout; echo "Content-Type: a/b" >&5; echo >&5; cat /dev/stdin >&5; echo to the log >/dev/stderr',
    })
    expect((await ask(`${origin}/cgi-bin/a`, { method: 'POST', body: 'hello' })).body.toString()).toBe('hello')
    expect(log).toEqual([{ entry: 'main', stream: 'stderr', text: 'to the log' }])
  })
})

describe('an answer', () => {
  it('has the status, the fields and the body that the script gave, and none that are for servers', async () => {
    const lines = [
      'Status: 201 Made Here',
      'Content-type:a/b',
      'X-A: 1',
      'x-a: 2',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
    ]
    const never = [
      'X-Sendfile: /etc/passwd',
      'X-Accel-Redirect: /x',
      'Connection: x-a',
      'Transfer-Encoding: chunked',
      'X-CGI-Z: 1',
    ]
    const { origin, errors } = await serveScripts({
      lf: `printf '${[...lines, ...never].join('\\n')}\\n\\nbody'`,
      crlf: `printf '${[...lines, ...never].join('\\r\\n')}\\r\\n\\r\\nbody'`,
    })
    for (const name of ['lf', 'crlf']) {
      const { status, headers, body } = await ask(`${origin}/cgi-bin/${name}`)
      expect([status, body.toString()]).toEqual([201, 'body'])
      // Whether its length is known depends on how quick it is.
      const { date, connection, 'transfer-encoding': _, 'content-length': __, ...rest } = headers
      expect(rest).toEqual({ 'content-type': 'a/b', 'x-a': '1, 2', 'set-cookie': ['a=1', 'b=2'] })
    }
    expect(errors).toEqual([])
  })

  it('comes as the script prints it', async () => {
    const { origin } = await serveScripts({ a: `${HEAD}; echo one; read line; echo "$line"` })
    const { hostname, port } = new URL(origin)
    // Longer than what is stored before the script starts.
    const rest = `two\n${'x'.repeat(2 ** 20)}`
    const headers = { 'Content-Length': rest.length }
    const client = request({ hostname, port, path: '/cgi-bin/a', method: 'POST', headers }).on('error', () => {})
    client.flushHeaders()
    const chunks: string[] = []
    await new Promise<void>((resolve) => {
      client.once('response', (answer) => {
        answer.setEncoding('utf8').on('data', (text: string) => {
          chunks.push(text)
          if (chunks.length === 1) client.write(rest)
        })
        answer.once('end', resolve)
      })
    })
    expect(chunks.join('')).toBe('one\ntwo\n')
    client.destroy()
  })

  it('to HEAD, and of 304 and 204, has no body', async () => {
    const { origin } = await serveScripts({
      a: `echo "Content-Length: 4"; ${HEAD}; echo abc`,
      same: 'echo "Status: 304 Not Modified"; echo "ETag: \\"x\\""; echo; echo text',
      none: 'echo "Status: 204"; echo',
    })
    expect(await ask(`${origin}/cgi-bin/a`, { method: 'HEAD' })).toMatchObject({
      status: 200,
      headers: { 'content-length': '4' },
    })
    expect(await ask(`${origin}/cgi-bin/same`)).toMatchObject({
      status: 304,
      headers: { etag: '"x"' },
      body: Buffer.alloc(0),
      cut: false,
    })
    expect(await ask(`${origin}/cgi-bin/none`)).toMatchObject({ status: 204, cut: false })
  })

  it('that is none is a 502 with the reason', async () => {
    const bad: Record<string, [script: string, reason: RegExp]> = {
      nothing: ['exit 7', /it ended with exit code 7 and gave no header/],
      words: ['echo oh >&2; echo no header here; echo', /a line of its header is no field: "no header here"/],
      complaint: ['echo why >&2; exit 1', /exit code 1 and gave no header \| why/],
      killed: ['kill -9 $$', /ended by SIGKILL and gave no header/],
      headless: ['echo; echo body', /none of Content-Type, Location and Status/],
      unfinished: ['echo "Content-Type: a/b"', /gave no header/],
      nph: ['printf "HTTP/1.1 200 OK\\nContent-Type: a/b\\n\\nx"', /nph-/],
      status: ['echo "Status: 99 Luftballons"; echo', /its Status must be three digits/],
      early: ['echo "Status: 101 Switching"; echo', /its Status must be/],
      wordy: ['echo "Status: OK"; echo', /its Status must be/],
      twice: ['echo "Content-Type: a/b"; echo "Content-type: c/d"; echo', /has the field Content-type twice/],
      cr: ['printf "Content-Type: a/b\\nX-A: 1\\rSet-Cookie: evil=1\\n\\n"', /X-A holds a control character/],
      zero: ['printf "Content-Type: a/b\\nX-A: 1\\0002\\n\\n"', /X-A holds a control character/],
      folded: ['printf "Content-Type: a/b\\nX-A: 1\\n 2\\n\\n"', /no field: " 2"/],
      spaced: ['printf "Content-Type : a/b\\n\\n"', /no field/],
      length: ['printf "Content-Type: a/b\\nContent-Length: +5\\n\\nhello"', /Content-Length must be a number/],
      endless: ['yes "X-A: 1"', /longer than 64 KiB/],
      binary: ['head -c 70000 /dev/zero', /longer than 64 KiB/],
    }
    const { origin, errors } = await serveScripts(
      Object.fromEntries(Object.entries(bad).map(([name, [text]]) => [name, text])),
    )
    for (const [name, [, reason]] of Object.entries(bad)) {
      expect([name, (await ask(`${origin}/cgi-bin/${name}`)).status]).toEqual([name, 502])
      expect(errors.splice(0), name).toMatchObject([
        { code: 'ENTRY_ANSWER', path: `cgi-bin/${name}`, message: expect.stringMatching(reason) },
      ])
    }
  })

  it('that is not whole breaks the connection off; one that is too long is cut to its length', async () => {
    const { origin, errors } = await serveScripts({
      short: `echo "Content-Length: 9"; ${HEAD}; echo abc`,
      slowlyShort: `echo "Content-Length: 9"; ${HEAD}; echo abc; sleep 0.2`,
      long: `echo "Content-Length: 3"; ${HEAD}; echo abcdef`,
      dies: `${HEAD}; echo abc; kill -9 $$`,
      slowlyDies: `${HEAD}; echo abc; sleep 0.2; kill -9 $$`,
      fails: `${HEAD}; echo abc; exit 3`,
    })
    const wrong = {
      ...{ short: 'gave 4 of the 9 bytes', slowlyShort: 'gave 4 of the 9 bytes' },
      ...{ dies: 'by SIGKILL in the middle', slowlyDies: 'by SIGKILL in the middle' },
    }
    for (const [name, reason] of Object.entries(wrong)) {
      const { status, cut } = await ask(`${origin}/cgi-bin/${name}`)
      // A 502 where nothing of the answer has left yet.
      expect(cut || status === 502, name).toBe(true)
      expect(errors.splice(0)).toMatchObject([{ message: expect.stringContaining(reason) }])
    }
    expect(await ask(`${origin}/cgi-bin/long`)).toMatchObject({ cut: false, body: Buffer.from('abc') })
    // The exit code of a shell script is that of whatever came last.
    expect(await ask(`${origin}/cgi-bin/fails`)).toMatchObject({ cut: false, body: Buffer.from('abc\n') })
    expect(errors).toEqual([])
  })
})

describe('a redirect', () => {
  const LOCAL = (to: string) => `echo "Location: ${to}"; echo`

  it('within the app is answered at once, by GET and without the body', async () => {
    const { origin } = await serveScripts(
      {
        env: ENV,
        to: LOCAL('/m/cgi-bin/env/x?y=z'),
        page: LOCAL('/m/page.html'),
        typed: `echo "Content-Type: a/b"; ${LOCAL('/m/page.html')}`,
      },
      {},
      { mount: '/m' },
      { 'public/page.html': 'the page' },
      {
        routes: {
          '/': { static: 'public' },
          '/cgi-bin/*': { entry: 'main', strip: true, headers: { 'X-Route': 'cgi' } },
        },
      },
    )
    const { status, body } = await ask(`${origin}/m/cgi-bin/to`, {
      method: 'POST',
      body: 'secret',
      headers: { 'X-Mine': '1' },
    })
    const got = variables(body.toString())
    expect(status).toBe(200)
    expect(got).toMatchObject({ REQUEST_METHOD: 'GET', PATH_INFO: '/x', QUERY_STRING: 'y=z', HTTP_X_MINE: '1' })
    expect(got).not.toHaveProperty('CONTENT_LENGTH')
    expect(body.toString()).not.toContain('secret')
    const page = await ask(`${origin}/m/cgi-bin/page`)
    expect([page.body.toString(), page.headers['x-route']]).toEqual(['the page', undefined])
    expect((await ask(`${origin}/m/cgi-bin/typed`)).body.toString()).toBe('the page')
    expect(await ask(`${origin}/m/cgi-bin/page`, { method: 'HEAD' })).toMatchObject({
      status: 200,
      headers: { 'content-length': '8' },
    })
  })

  it('elsewhere is the client’s: out of the mount, out of the server, with a cookie', async () => {
    const { origin } = await serveScripts(
      {
        out: LOCAL('/other/app'),
        up: LOCAL('/m/../x'),
        host: LOCAL('//evil.example/'),
        away: `echo "Location: https://a.example/x#y"; echo`,
        body: `echo "Location: https://a.example/"; echo "Content-Type: text/plain"; echo; echo moved`,
        moved: `echo "Status: 301 Moved"; echo "Location: /m/page"; echo`,
        cookie: `echo "Set-Cookie: sid=1"; ${LOCAL('/m/page')}`,
      },
      {},
      { mount: '/m' },
    )
    const got = async (name: string) => {
      const { status, headers, body } = await ask(`${origin}/m/cgi-bin/${name}`)
      return [status, headers.location, body.toString()]
    }
    expect(await got('out')).toEqual([302, '/other/app', ''])
    expect(await got('up')).toEqual([302, '/m/../x', ''])
    expect(await got('host')).toEqual([302, '//evil.example/', ''])
    expect(await got('away')).toEqual([302, 'https://a.example/x#y', ''])
    expect(await got('body')).toEqual([302, 'https://a.example/', 'moved\n'])
    expect(await got('moved')).toEqual([301, '/m/page', ''])
    expect(await got('cookie')).toEqual([302, '/m/page', ''])
  })

  it('in a circle is a 502', async () => {
    const { origin, errors } = await serveScripts(
      { a: LOCAL('/cgi-bin/b'), b: LOCAL('/cgi-bin/a') },
      { concurrency: 1 },
    )
    expect((await ask(`${origin}/cgi-bin/a`)).status).toBe(502)
    expect(errors).toMatchObject([
      { code: 'ENTRY_ANSWER', message: expect.stringContaining('more than 5 local redirects') },
    ])
  })
})

describe('a body', () => {
  it('of unknown length has one when the script starts', async () => {
    const { origin, app } = await serveScripts({ a: `${HEAD}; echo "$CONTENT_LENGTH"; wc -c; wc -c </dev/stdin` })
    const chunks = ReadableStream.from(Array.from({ length: 30 }, () => new Uint8Array(100_000)))
    const init = { method: 'POST', body: chunks, duplex: 'half' } as RequestInit
    expect((await (await fetch(`${origin}/cgi-bin/a`, init)).text()).split(/\s+/).slice(0, 2)).toEqual([
      '3000000',
      '3000000',
    ])
    const empty = { method: 'POST', body: ReadableStream.from([]), duplex: 'half' } as RequestInit
    expect((await (await app.fetch(new Request('http://a/cgi-bin/a', empty))).text()).split(/\s+/)[0]).toBe('0')
  })

  it('need not be read', async () => {
    const { origin, errors } = await serveScripts({ a: `${HEAD}; echo ok` })
    const body = 'x'.repeat(5_000_000)
    for (let i = 0; i < 5; i++) {
      const { status, body: got } = await ask(`${origin}/cgi-bin/a`, { method: 'POST', body })
      expect([status, got.toString()]).toEqual([200, 'ok\n'])
    }
    expect(errors).toEqual([])
  })

  it('goes in while the answer comes out', async () => {
    const { origin } = await serveScripts({ a: `${HEAD}; cat` })
    const body = Buffer.alloc(8_000_000, 'zapp').toString()
    const got = await ask(`${origin}/cgi-bin/a`, { method: 'POST', body })
    expect(got.body.equals(Buffer.from(body))).toBe(true)
  })

  it('that breaks off ends its script', async () => {
    const { origin } = await serveScripts({ a: `${HEAD}; echo start; cat` })
    const { hostname, port } = new URL(origin)
    const client = request({
      hostname,
      port,
      path: '/cgi-bin/a?broken-off',
      method: 'POST',
      headers: { 'Content-Length': 5e6 },
    })
    client.on('error', () => {})
    client.flushHeaders()
    await new Promise((resolve) => client.once('response', resolve))
    expect(processesWith('=broken-off').length).toBeGreaterThan(0)
    client.destroy()
    await until(() => processesWith('=broken-off').length === 0)
  })
})

describe('processes', () => {
  it('that take too long are ended with all that they started', async () => {
    const { origin, errors } = await serveScripts(
      { hangs: 'trap "" TERM; sleep 1000 & sleep 1001; wait', half: `${HEAD}; echo abc; sleep 1000` },
      { timeout: '1s' },
    )
    const [hangs, half] = await Promise.all([ask(`${origin}/cgi-bin/hangs?slow`), ask(`${origin}/cgi-bin/half?slow`)])
    expect([hangs.status, half.cut]).toEqual([504, true])
    expect(errors.map(({ code }) => code)).toEqual(['ENTRY_TIMEOUT', 'ENTRY_TIMEOUT'])
    await until(() => processesWith('=slow').length === 0)
  })

  it('that a script leaves behind do not hold the answer, and are ended', async () => {
    const { origin } = await serveScripts(
      {
        stays: `${HEAD}; echo done; sleep 1000 &`,
        escapes: `${HEAD}; echo done; setsid sleep 20 & exit 0`,
      },
      { concurrency: 1 },
    )
    for (const name of ['stays', 'stays', 'escapes', 'escapes', 'stays']) {
      expect((await ask(`${origin}/cgi-bin/${name}?left`)).body.toString(), name).toBe('done\n')
    }
    // Who has made a session of its own has left; the others are gone.
    await until(() => processesWith('=left').length <= 2)
    for (const pid of processesWith('=left')) process.kill(pid)
  })

  it('run at most so many at once, the first first; who goes leaves the queue', async () => {
    const { app } = await serveScripts(
      {
        a: `${HEAD}; echo "+$QUERY_STRING" >>"$HOME/log"; sleep 0.1; echo "-$QUERY_STRING" >>"$HOME/log"; cat "$HOME/log"`,
      },
      { concurrency: 2 },
    )
    const leaving = new AbortController()
    const get = async (name: string, signal = new AbortController().signal) =>
      (await app.fetch(new Request(`http://a/cgi-bin/a?${name}`, { signal }))).text()
    const asked = ['1', '2'].map((name) => get(name))
    const left = get('left', leaving.signal).catch((error: Error) => error.name)
    asked.push(...['3', '4', '5'].map((name) => get(name)))
    leaving.abort()
    expect(await left).toBe('AbortError')
    const events = (await Promise.all(asked)).at(-1)!.trim().split('\n')
    expect(
      events
        .filter((event) => event.startsWith('+'))
        .slice(2, 4)
        .toSorted(),
    ).toEqual(['+3', '+4'])
    expect(events).not.toContain('+left')
    let running = 0
    for (const event of events) {
      running += event.startsWith('+') ? 1 : -1
      expect(running).toBeLessThanOrEqual(2)
    }
  })

  it('for which too many wait are refused: 503', async () => {
    const { origin, errors } = await serveScripts({ a: 'sleep 1000' }, { concurrency: 1, timeout: '1s' })
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(`${origin}/cgi-bin/a`)))
    const busy = answers.filter(({ status }) => status === 503)
    expect(busy.length).toBeGreaterThanOrEqual(7)
    expect(busy[0]!.headers['retry-after']).toBe('1')
    expect(answers.filter(({ status }) => status === 504).length).toBeGreaterThanOrEqual(1)
    expect(errors.some(({ code }) => code === 'ENTRY_BUSY')).toBe(true)
  })

  it('of a client that stops reading wait for it, and end when it goes', async () => {
    const { origin } = await serveScripts({ a: `${HEAD}; yes` })
    const { hostname, port } = new URL(origin)
    const socket = connect(Number(port), hostname)
    socket.write('GET /cgi-bin/a?unread HTTP/1.1\r\nHost: a\r\n\r\n')
    await new Promise((resolve) => socket.once('readable', resolve))
    const before = process.memoryUsage().rss
    await sleep(300)
    expect(process.memoryUsage().rss - before).toBeLessThan(50 * 2 ** 20)
    expect(processesWith('=unread').length).toBeGreaterThan(0)
    socket.destroy()
    await until(() => processesWith('=unread').length === 0)
  })

  it('leave nothing: no zombies, no descriptors, no folders', async () => {
    const ours = `zapp-${await ownIdentity()}-`
    const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith(ours)).length
    const before = folders()
    const { origin, app } = await serveScripts({ a: `${HEAD}; echo ok`, bad: 'exit 1', env: ENV })
    await ask(`${origin}/cgi-bin/env`, { method: 'POST', body: 'x' })
    const [open, family] = [fds(), children().length]
    for (let i = 0; i < 30; i++) {
      await Promise.all([
        ask(`${origin}/cgi-bin/a`),
        ask(`${origin}/cgi-bin/bad`),
        ask(`${origin}/cgi-bin/env`, { method: 'POST', body: 'x' }),
      ])
    }
    await until(() => fds() <= open && children().length <= family)
    await app.close()
    await until(() => children().length < family)
    expect(folders()).toBeLessThanOrEqual(before)
  })

  it('end with our process, however that ends', async () => {
    const program = await buildProgram(join(import.meta.dirname, 'helpers/server-parent.ts'))
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const dir = await tmpDir()
      const archive = await makeArchive(
        dir,
        { entry: { type: 'cgi', script: 'a' } },
        {
          a: '#!/bin/sh\necho "Content-Type: application/json"; echo\nsleep 1000 >/dev/null & echo "$! $$"; exec >&-; wait\n',
        },
      )
      const parent = spawn(process.execPath, [program, archive, join(dir, 'cache'), join(dir, 'data')])
      let pids = ''
      for await (const line of createInterface(parent.stdout)) {
        pids = /^answer: (\d+ \d+)/.exec(line)?.[1] ?? ''
        if (pids !== '') break
      }
      expect(pids).not.toBe('')
      parent.kill(signal)
      await until(() => pids.split(' ').every((pid) => !lives(pid)))
    }
  })

  it('are started again after what starts them was ended', async () => {
    const { origin, errors } = await serveScripts({ a: HEAD, b: 'sleep 1000' })
    expect((await ask(`${origin}/cgi-bin/a`)).status).toBe(200)
    const hanging = ask(`${origin}/cgi-bin/b?hanging`)
    await until(() => processesWith('=hanging').length > 0)
    for (const pid of children())
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('perl\0')) process.kill(pid, 'SIGKILL')
    expect((await hanging).status).toBe(502)
    expect(errors).toMatchObject([
      { code: 'ENTRY_ANSWER', message: expect.stringContaining('what starts the scripts') },
    ])
    await until(() => processesWith('=hanging').length === 0)
    expect((await ask(`${origin}/cgi-bin/a`)).status).toBe(200)
  })

  it('take no upgrades', async () => {
    const { origin } = await serveScripts({ a: `${HEAD}; echo ok` })
    const { hostname, port } = new URL(origin)
    const socket = connect(Number(port), hostname)
    socket.write('GET /cgi-bin/a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += chunk
    expect(text).toMatch(/^HTTP\/1\.1 400 /)
  })
})
