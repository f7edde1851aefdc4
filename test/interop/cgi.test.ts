import { execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pack } from '../../src/pack/pack.ts'
import { type App, loadApp } from '../../src/runtimes/load.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { ask, variables } from '../runtimes/helpers/cgi.ts'
import { needPrograms } from './helpers/apt.ts'
import { startModCgid } from './helpers/cgid.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')

/** What a script is given, and what it makes of it, in four languages. */
const SCRIPTS = {
  'env.pl': `#!/usr/bin/perl -T
print "Content-Type: text/plain\\n\\n";
print map { "$_=$ENV{$_}\\n" } sort keys %ENV;
print "argv=@ARGV\\n";
local $/; print "body=", <STDIN> // "", "\\n";
`,
  'form.py': `#!/usr/bin/env python3
import os, sys, urllib.parse
form = urllib.parse.parse_qs(sys.stdin.buffer.read(int(os.environ.get("CONTENT_LENGTH") or 0)).decode())
sys.stdout.buffer.write(b"Status: 201 Created\\r\\nContent-Type: text/html; charset=utf-8\\r\\nX-Form: yes\\r\\n\\r\\n")
sys.stdout.buffer.write(repr(sorted(form.items())).encode())
`,
  'plain.sh': `#!/bin/sh
printf 'Content-Type: text/plain\\nSet-Cookie: a=1; Path=/\\nSet-Cookie: b=2\\nETag: "x"\\n\\nhello %s\\n' "$QUERY_STRING"
`,
  'binary.sh': `#!/bin/sh
printf 'Content-Type: application/octet-stream\\nContent-Length: 70000\\n\\n'; head -c 70000 /dev/zero | tr '\\0' '\\377'
`,
  'status.sh': `#!/bin/sh
printf 'Status: %s\\nContent-Type: text/plain\\n\\nbody\\n' "\${PATH_INFO#/}"
`,
  'local.sh': '#!/bin/sh\nprintf "Location: /cgi-bin/plain.sh?from=local\\n\\n"\n',
  'page.sh': '#!/bin/sh\nprintf "Content-Type: text/html\\nLocation: /page.txt\\n\\n"\n',
  'away.sh': '#!/bin/sh\nprintf "Location: https://example.org/x\\n\\n"\n',
  'moved.sh':
    '#!/bin/sh\nprintf "Status: 301 Moved\\nLocation: /elsewhere\\nContent-Type: text/plain\\n\\ngone there\\n"\n',
  'deaf.sh': '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\ndid not listen\\n"\n',
  'silent.sh': '#!/bin/sh\nexit 1\n',
  'words.sh': '#!/bin/sh\necho this is no header\necho\n',
}

const C = `#include <stdio.h>
#include <stdlib.h>
int main(void) {
  long n = 0; while (getchar() != EOF) n++;
  printf("Content-Type: text/plain\\n\\n%s %ld\\n", getenv("REQUEST_METHOD"), n);
}
`

let apache: { port: number; stop(): Promise<void> }
let app: App
let ours: string
let folder: string
const server = createServer((req, res) => app.listener(req, res))

await needPrograms({ apache2: 'apache2', perl: 'perl', gcc: 'gcc', git: 'git' })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zapp-interop-'))
  const project = join(folder, 'tools')
  await mkdir(join(project, 'cgi-bin'), { recursive: true })
  await mkdir(join(project, 'htdocs'))
  await writeFile(join(project, 'htdocs/page.txt'), 'the page\n')
  for (const [name, text] of Object.entries(SCRIPTS)) {
    await writeFile(join(project, 'cgi-bin', name), text)
    await chmod(join(project, 'cgi-bin', name), 0o755)
  }
  await writeFile(join(folder, 'count.c'), C)
  await run('gcc', ['-o', join(project, 'cgi-bin/count'), join(folder, 'count.c')])
  await cp(join(ROOT, 'fixtures/manifests/tools.json'), join(project, 'zapp.json'))
  const { file } = await pack(project, { out: join(folder, 'tools.zapp') })
  app = await loadApp(file, { cache: join(folder, 'cache'), data: join(folder, 'data') })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ours = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  apache = await startModCgid(
    folder,
    ['cgid', 'alias', 'mime', 'env'],
    `ScriptSock ${folder}/run/cgid
    DocumentRoot ${project}/htdocs
    ScriptAlias /cgi-bin/ ${project}/cgi-bin/
    TypesConfig /etc/mime.types
    <Directory />\nRequire all granted\n</Directory>`,
  )
})

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await app?.close()
  await apache?.stop()
  await rm(folder, { recursive: true, force: true })
})

type Request = readonly [path: string, init?: Parameters<typeof ask>[1]]

const FORM = {
  method: 'POST',
  headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  body: 'a=1&b=%C3%A9&a=2',
}

/** Answered alike, to the byte. */
const SAME: readonly Request[] = [
  ['/cgi-bin/plain.sh?a=b'],
  ['/cgi-bin/plain.sh', { method: 'HEAD' }],
  ['/cgi-bin/plain.sh/info?x', { method: 'DELETE' }],
  ['/cgi-bin/form.py', FORM],
  ['/cgi-bin/form.py'],
  ['/cgi-bin/count', { method: 'PUT', body: 'x'.repeat(300_000) }],
  ['/cgi-bin/count', { method: 'PUT', body: 'x'.repeat(3_000_000) }],
  ['/cgi-bin/count', { method: 'PUT', headers: { 'Transfer-Encoding': 'chunked' }, body: 'x'.repeat(3_000_000) }],
  ['/cgi-bin/count'],
  ['/cgi-bin/binary.sh'],
  ['/cgi-bin/binary.sh', { method: 'HEAD' }],
  ['/cgi-bin/status.sh/404%20Not%20Here'],
  ['/cgi-bin/status.sh/418'],
  ['/cgi-bin/status.sh/503%20Busy'],
  ['/cgi-bin/status.sh/204'],
  ['/cgi-bin/status.sh/304'],
  ['/cgi-bin/local.sh'],
  ['/cgi-bin/local.sh', { method: 'POST', body: 'not again' }],
  ['/cgi-bin/page.sh'],
  ['/cgi-bin/moved.sh'],
]

/** Fields that a script decides about. Not Content-Length: Apache drops that of a script, and counts for itself. */
const FIELDS = ['content-type', 'location', 'set-cookie', 'etag', 'x-form'] as const

async function answer(origin: string, [path, init]: Request): Promise<Record<string, unknown>> {
  const { status, headers, body, cut } = await ask(origin + path, init)
  return {
    status,
    cut,
    body: shown(body),
    ...Object.fromEntries(FIELDS.map((name) => [name, headers[name]])),
  }
}

/** All of a short body; of a long one what names it. */
const shown = (body: Buffer) => (body.length < 1000 ? body.toString('latin1') : `${body.length} bytes, ${sha256(body)}`)

describe('the same folder under mod_cgid and here', () => {
  it.each(
    SAME.map(
      (request) =>
        [`${request[1]?.method ?? 'GET'} ${request[0]} (${request[1]?.body?.length ?? 0})`, request] as const,
    ),
  )('%s', async (_, request) => {
    const [got, expected] = [await answer(ours, request), await answer(`http://127.0.0.1:${apache.port}`, request)]
    // What serves a file has its own word about it.
    if (request[0].endsWith('page.sh')) {
      for (const one of [got, expected]) Object.assign(one, { etag: undefined, 'content-type': undefined })
    }
    expect(got).toEqual(expected)
  })

  it('gives a script the same variables', async () => {
    const init = {
      method: 'POST',
      headers: {
        'Content-Type': 'text/x',
        Cookie: 'a=1',
        'X-A-B': 'c',
        X_A: 'no',
        Proxy: 'http://evil',
        Host: 'tools.example:99',
      },
      body: 'in',
    }
    const path = '/cgi-bin/env.pl/a%20b/c?q=1&r=%20+'
    const [got, apaches] = await Promise.all(
      [ours, `http://127.0.0.1:${apache.port}`].map(async (origin) =>
        variables((await ask(origin + path, init)).body.toString()),
      ),
    )
    // Where each has its files, whom it is spoken to by, what it calls itself; and what only one of them has.
    const OWN =
      /^(?:PATH|SERVER_SOFTWARE|SERVER_SIGNATURE|SERVER_ADMIN|CONTEXT_.*|REMOTE_PORT|HOME|LANG|TZ|NODE_ENV|REDIRECT_STATUS|REMOTE_HOST|HTTP_CONNECTION|)$/
    const PLACES = ['DOCUMENT_ROOT', 'SCRIPT_FILENAME', 'PATH_TRANSLATED']
    const comparable = (all: Record<string, string>) =>
      Object.fromEntries(
        Object.entries(all)
          .filter(([name]) => !OWN.test(name))
          .map(([name, value]) => [
            name,
            PLACES.includes(name) ? value.replace(/^.*?\/(?=cgi-bin|htdocs)/, '') : value,
          ]),
      )
    expect(comparable(got!)).toEqual(comparable(apaches!))
  })

  it('differs on purpose: 502 for what is no answer, credentials passed on, bodies of every kind, a redirect without a page', async () => {
    for (const name of ['silent.sh', 'words.sh']) {
      expect([
        (await answer(ours, [`/cgi-bin/${name}`])).status,
        (await answer(`http://127.0.0.1:${apache.port}`, [`/cgi-bin/${name}`])).status,
      ]).toEqual([502, 500])
    }
    const init = { headers: { Authorization: 'Basic YTpi' } }
    expect(variables((await ask(`${ours}/cgi-bin/env.pl`, init)).body.toString()).HTTP_AUTHORIZATION).toBe('Basic YTpi')
    // mod_cgid tells no length of a chunked body, and loses the answer of a script that does not read.
    const chunked = { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' }, body: 'z=1' }
    expect((await answer(ours, ['/cgi-bin/form.py', chunked])).body).toBe("[('z', ['1'])]")
    const unread = { method: 'POST', body: 'x'.repeat(2_000_000) }
    expect((await answer(ours, ['/cgi-bin/deaf.sh', unread])).body).toBe('did not listen\n')
    const away = await answer(ours, ['/cgi-bin/away.sh'])
    expect([away.status, away.location, away.body]).toEqual([302, 'https://example.org/x', ''])
  })
})

describe('git over CGI', () => {
  it('clones, pushes and fetches a repository of 50 MB through zapp serve, in little memory', async () => {
    const dir = await tmpDir()
    const git = (cwd: string, ...args: string[]) =>
      run('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'init.defaultBranch=main', ...args], {
        cwd,
        env: { ...process.env, HOME: dir },
      })
    const project = join(dir, 'project')
    await mkdir(project)
    await writeFile(join(project, 'git'), '#!/bin/sh\nexec git http-backend\n')
    await writeFile(
      join(project, 'zapp.json'),
      JSON.stringify({
        ...{ zapp: 1, name: 'git', version: '1.0.0' },
        entry: { type: 'cgi', script: 'git', timeout: '5m', env: { GIT_HTTP_EXPORT_ALL: '1' } },
        routes: { '/git/*': { entry: 'main', strip: true } },
        dependencies: { commands: ['git'] },
        data: { repositories: { path: 'repositories', env: 'GIT_PROJECT_ROOT' } },
      }),
    )
    const { file } = await pack(project, { out: join(dir, 'git.zapp') })
    const bare = join(dir, 'data/git/repositories/big.git')
    await mkdir(dirname(bare), { recursive: true })
    await git(dir, 'init', '--bare', bare)
    await git(bare, 'config', 'http.receivepack', 'true')
    const zapp = spawn(process.execPath, [
      join(ROOT, 'bin/zapp.js'),
      'serve',
      file,
      '--port',
      '0',
      '--cache',
      join(dir, 'cache'),
      '--data',
      join(dir, 'data'),
    ])
    try {
      const origin = await originOf(zapp.stdout, zapp.stderr)
      const before = peak(zapp.pid!)
      const url = `${origin}/git/big.git`

      await git(dir, 'clone', url, 'first')
      const first = join(dir, 'first')
      const big = randomBytes(50 * 2 ** 20)
      await writeFile(join(first, 'big'), big)
      await git(first, 'add', 'big')
      await git(first, 'commit', '-m', 'big')
      await git(first, 'push', 'origin', 'HEAD:main')
      await git(bare, 'fsck', '--full', '--strict')

      await git(dir, 'clone', '--branch', 'main', url, 'second')
      const second = join(dir, 'second')
      expect(sha256(await readFile(join(second, 'big')))).toBe(sha256(big))

      await writeFile(join(second, 'small'), 'and back')
      await git(second, 'add', 'small')
      await git(second, 'commit', '-m', 'small')
      await git(second, 'push', 'origin', 'HEAD:main')
      await git(first, 'fetch', 'origin')
      const head = async (cwd: string, name: string) => (await git(cwd, 'rev-parse', name)).stdout
      expect(await head(first, 'origin/main')).toBe(await head(second, 'HEAD'))

      const grown = peak(zapp.pid!) - before
      console.info(`git: the server's peak memory grew by ${Math.round(grown / 1024)} MiB for 100 MiB in and out`)
      expect(grown).toBeLessThan(64 * 1024)
    } finally {
      zapp.kill()
      await once(zapp, 'exit')
    }
  })
})

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** KiB, the most that a process has had. */
function peak(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

async function originOf(...streams: (NodeJS.ReadableStream | null)[]): Promise<string> {
  let text = ''
  return new Promise((resolve, reject) => {
    for (const stream of streams) {
      const lines = createInterface({ input: stream! })
      lines.on('line', (line) => {
        text += `${line}\n`
        const [origin] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? []
        if (origin) resolve(origin)
      })
      lines.once('close', () => reject(new Error(text)))
    }
  })
}
