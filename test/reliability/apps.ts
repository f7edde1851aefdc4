import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { type Files, makeArchive } from '../helpers/make-archive.ts'
import { npmTree } from '../helpers/npm-tree.ts'
import { tmpDir } from '../helpers/tmp.ts'
import type { Task } from '../host/load.ts'

/*
 * Apps that say their version in a field and at the beginning of every body, so that an answer of two versions shows.
 */

const MB = 1024 * 1024
export const BIG = 10 * MB

export type Kind = 'express' | 'wsgi' | 'site' | 'cgi' | 'node' | 'page'

/** Archives are made here, and come to the host in one step. */
const workshop = await tmpDir()

/** @returns the archive's path, outside the watched folder */
export function makeApp(
  kind: Kind,
  name: string,
  version: string,
  more: Record<string, unknown> = {},
  further: Files = {},
): Promise<string> {
  const { manifest, files } = KINDS[kind](version)
  return makeArchive(workshop, { name, ...manifest, ...more }, { ...files, ...further })
}

export async function putApp(folder: string, kind: Kind, name: string, version: string): Promise<string> {
  return moveIn(await makeApp(kind, name, version), folder, name)
}

/** In one step, as an upload should end. */
export async function moveIn(file: string, folder: string, name: string): Promise<string> {
  const target = join(folder, `${name}.zapp`)
  await rename(file, target)
  return target
}

const KINDS: Record<Kind, (version: string) => { manifest: Record<string, unknown>; files: Files }> = {
  express: (version) => ({
    manifest: {
      entry: { type: 'node', module: 'app.js' },
      routes: { '/': { entry: 'main' }, '/assets/*': { static: 'assets', cache: 'immutable' } },
    },
    files: { ...expressTree(), ...asset(version), 'app.js': EXPRESS(version) },
  }),
  node: (version) => ({
    manifest: { entry: { type: 'node', module: 'app.js' } },
    files: {
      'app.js': `module.exports = (req, res) => res.setHeader('X-Version', '${version}').end('${version} ' + process.pid)`,
    },
  }),
  page: (version) => ({
    manifest: { routes: { '/': { static: 'public', headers: { 'X-Version': version } } } },
    files: { 'public/index.html': `${version} page` },
  }),
  wsgi: (version) => ({
    manifest: { entry: { type: 'wsgi', app: 'app:application' } },
    files: { ...flaskTree(), 'app.py': flaskTree() ? FLASK(version) : WSGI(version) },
  }),
  site: (version) => ({
    manifest: {
      routes: {
        '/': { static: 'public', headers: { 'X-Version': version } },
        '/assets/*': { static: 'assets', cache: 'immutable' },
      },
    },
    files: {
      ...asset(version),
      'public/index.html': `${version} <script src="assets/${assetName(version)}"></script>`,
      'public/big.bin': bigOf(version),
    },
  }),
  cgi: (version) => ({
    manifest: { entry: { type: 'cgi', script: 'app.sh' } },
    files: { 'app.sh': CGI(version) },
  }),
}

const EXPRESS = (version: string) => `
const { createHash } = require('node:crypto')
const app = require('express')()
const big = Buffer.alloc(${BIG}, '${version} ')
app.use((req, res, next) => { res.set('X-Version', '${version}'); next() })
app.get('/', (req, res) => res.send('${version} <script src="assets/${assetName(version)}"></script>'))
app.get('/big', (req, res) => res.send(big))
app.post('/hash', (req, res) => {
  const hash = createHash('sha256')
  req.on('data', (chunk) => hash.update(chunk)).on('end', () => res.send('${version} ' + hash.digest('hex')))
})
module.exports = app
`

const FLASK = (version: string) => `
import hashlib
from flask import Flask, request
application = Flask(__name__)
@application.after_request
def stamp(response):
    response.headers["X-Version"] = "${version}"
    return response
@application.get("/")
def home():
    return "${version} home"
@application.get("/big")
def big():
    return (b"${version} " * (${BIG} // 3 + 1))[:${BIG}]
@application.post("/hash")
def digest():
    return "${version} " + hashlib.sha256(request.get_data()).hexdigest()
`

const WSGI = (version: string) => `
import hashlib
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Version", "${version}")])
    if environ["PATH_INFO"] == "/big":
        return [(b"${version} " * (${BIG} // 3 + 1))[:${BIG}]]
    if environ["REQUEST_METHOD"] == "GET":
        return [b"${version} home"]
    return [b"${version} " + hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()]
`

const CGI = (version: string) => `#!/bin/sh
printf 'Content-Type: text/plain\\r\\nX-Version: ${version}\\r\\n\\r\\n'
[ "$PATH_INFO" = /big ] && yes '${version} ' | tr -d '\\n' | head -c ${BIG} && exit
printf '${version} '
[ "$REQUEST_METHOD" = POST ] && exec sha256sum || exec echo home
`

const assetName = (version: string) => `app.${hashOf(version).slice(0, 8)}.js`
const asset = (version: string) => ({ [`assets/${assetName(version)}`]: `${version} asset` })

/** A page, then what it names: the hashed file of that very page's version is there, whatever was deployed meanwhile. */
export function pageAndAsset(mount: string): Task[] {
  let page = ''
  return [
    {
      method: 'GET',
      target: `${mount}/`,
      check(answer) {
        page = answer.text
        return oneVersion(answer)
      },
    },
    {
      method: 'GET',
      target: () => `${mount}/${/src="([^"]+)"/.exec(page)?.[1] ?? 'assets/none'}`,
      check: ({ status, text }) =>
        status === 200 && text === `${page.split(' ')[0]} asset` ? undefined : `${status} ${text} for the page ${page}`,
    },
  ]
}

/** 200, and field and body are of one version. */
export const oneVersion: Task['check'] = ({ status, headers, text }) => {
  const version = headers.get('x-version')
  if (status === 200 && version !== undefined && text.startsWith(`${version} `)) return undefined
  return status === 200 ? `MIXED: field ${version}, body ${text.slice(0, 60)}` : `${status} ${text.slice(0, 200)}`
}

export const home = (mount: string): Task => ({ method: 'GET', target: `${mount}/`, check: oneVersion })

export function upload(mount: string, bytes: number): Task {
  const body = Buffer.alloc(bytes, `upload to ${mount} `)
  const hash = hashOf(body)
  return {
    ...{ method: 'POST', target: `${mount}/hash`, body },
    check: (answer) => oneVersion(answer) ?? (answer.text.includes(hash) ? undefined : 'the body arrived changed'),
  }
}

export function download(target: string): Task {
  return {
    ...{ method: 'GET', target },
    check(answer) {
      const wrong = oneVersion(answer)
      if (wrong !== undefined) return wrong
      const version = answer.headers.get('x-version') ?? ''
      return answer.hash === bigHash(version)
        ? undefined
        : `MIXED: ${answer.length} bytes that are not all of ${version}`
    },
  }
}

const bigOf = (version: string) => Buffer.alloc(BIG, `${version} `)
const bigHashes = new Map<string, string>()
function bigHash(version: string): string {
  const hash = bigHashes.get(version) ?? hashOf(bigOf(version))
  bigHashes.set(version, hash)
  return hash
}

function hashOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

let express: Files | undefined
function expressTree(): Files {
  express ??= npmTree('express5', 'express')
  return express
}

/** Debian's Flask, or that of the Python on PATH, beside the app; undefined where there is none. */
let flask: { readonly files: Files | undefined } | undefined
export function flaskTree(): Files | undefined {
  flask ??= { files: findFlask() }
  return flask.files
}

const FLASK_PACKAGES = ['flask', 'werkzeug', 'jinja2', 'markupsafe', 'itsdangerous', 'click', 'blinker']

function findFlask(): Files | undefined {
  const packages = ['python3', '/usr/bin/python3'].flatMap((python) => {
    try {
      const where = 'import flask; print(flask.__file__)'
      return [dirname(dirname(execFileSync(python, ['-c', where], { encoding: 'utf8', stdio: 'pipe' }).trim()))]
    } catch {
      return []
    }
  })[0]
  if (packages === undefined) return undefined
  const files: Record<string, Uint8Array> = {}
  for (const name of FLASK_PACKAGES.filter((one) => existsSync(join(packages, one)))) {
    for (const entry of readdirSync(join(packages, name), { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name)
      // Compiled parts are for one version of Python; all of them have one in Python beside.
      if (entry.isFile() && /\.py$/.test(basename(file))) files[relative(packages, file)] = readFileSync(file)
    }
  }
  return files
}
