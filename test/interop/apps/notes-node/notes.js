// @ts-nocheck: an app as anybody would write it, CommonJS without types.
/* A notebook, written twice: notes-python/notes.py must answer every request with the same bytes. */

const { readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { STATUS_CODES } = require('node:http')
const { join } = require('node:path')

const FOLDER = process.env.NOTES_DIR
const LIMIT = 64 * 1024
const PLAIN = { 'Content-Type': 'text/plain; charset=utf-8' }

module.exports = async (req, res) => {
  const [path, query = ''] = split(req.url)
  const base = req.baseUrl ?? ''
  const head = req.method === 'HEAD'
  const { status, headers, body } = await answer(head ? 'GET' : req.method, path, query, base, req)
  // Without a length only where the answer is a stream.
  const length = typeof body === 'object' && !Buffer.isBuffer(body) ? {} : { 'Content-Length': Buffer.byteLength(body) }
  res.writeHead(status, STATUS_CODES[status], { ...headers, ...(status === 204 || status === 304 ? {} : length) })
  if (head || Object.keys(length).length > 0) return res.end(head ? undefined : body)
  for (const part of body) res.write(part)
  res.end()
}

async function answer(method, path, query, base, req) {
  const key = `${method} ${path}`
  if (key === 'GET ' || key === 'GET /') {
    const text = notes().map(([id, note]) => `<p id=${id}>${safe(note)}</p>\n`)
    const page = `<link rel=stylesheet href="${base}/assets/site.css">\n<h1>Notes of ${safe(cookie(req))}</h1>\n${text.join('')}`
    return { status: 200, headers: { 'Content-Type': 'text/html; charset=utf-8' }, body: page }
  }
  if (key === 'POST /notes') {
    if (Number(req.headers['content-length']) > LIMIT) {
      return { status: 413, headers: PLAIN, body: 'A note may have at most 64 KB.\n' }
    }
    const form = new URLSearchParams((await read(req)).toString())
    if (!form.get('text')) return { status: 400, headers: PLAIN, body: 'A note needs some text.\n' }
    writeFileSync(join(FOLDER, String(readdirSync(FOLDER).length).padStart(4, '0')), form.get('text'), { flag: 'wx' })
    const author = form.get('author') ?? 'nobody'
    return { status: 303, headers: { Location: `${base}/`, 'Set-Cookie': `author=${author}; Path=${base}/` }, body: '' }
  }
  if (key === 'POST /echo') {
    const headers = { 'Content-Type': req.headers['content-type'] ?? 'none' }
    return { status: 200, headers, body: await read(req) }
  }
  if (method === 'GET' && path.startsWith('/where/')) {
    const body = JSON.stringify({ base, path: decodeURIComponent(path), query })
    return { status: 200, headers: { 'Content-Type': 'application/json' }, body }
  }
  if (key === 'GET /headers') {
    const names = ['ACCEPT_LANGUAGE', 'AUTHORIZATION', 'X_ONE']
    const seen = names.map((name) => [name, req.headers[name.toLowerCase().replace('_', '-')] ?? ''])
    return {
      status: 200,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(Object.fromEntries(seen)),
    }
  }
  if (key === 'GET /stream') return { status: 200, headers: PLAIN, body: numbers() }
  if (key === 'GET /private') {
    const [kind, given = ''] = (req.headers.authorization ?? '').split(' ')
    if (kind === 'Basic') {
      return { status: 200, headers: PLAIN, body: `${Buffer.from(given, 'base64').toString().split(':')[0]}\n` }
    }
    const headers = { ...PLAIN, 'WWW-Authenticate': 'Basic realm="notes"' }
    return { status: 401, headers, body: 'Who is there?\n' }
  }
  if (key === 'GET /nothing') return { status: 204, headers: {}, body: '' }
  if (key === 'GET /same') return { status: 304, headers: { ETag: '"same"' }, body: '' }
  if (key === 'DELETE /notes') {
    for (const name of readdirSync(FOLDER)) rmSync(join(FOLDER, name))
    return { status: 204, headers: {}, body: '' }
  }
  return { status: 404, headers: PLAIN, body: 'No such page.\n' }
}

function* numbers() {
  for (let number = 0; number < 100_000; number++) yield `${String(number).padStart(6, '0')}\n`
}

function notes() {
  return readdirSync(FOLDER)
    .sort()
    .map((name) => [name, readFileSync(join(FOLDER, name), 'utf8')])
}

function cookie(req) {
  const pairs = (req.headers.cookie ?? '').split('; ').map((pair) => pair.split('='))
  return pairs.find(([name]) => name === 'author')?.[1] ?? 'nobody'
}

async function read(req) {
  const chunks = []
  for await (const chunk of req) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function split(url) {
  const at = url.indexOf('?')
  return at === -1 ? [url] : [url.slice(0, at), url.slice(at + 1)]
}

/** As Python's html.escape() does it. */
function safe(text) {
  const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#x27;' }
  return text.replace(/[&<>"']/g, (letter) => escapes[letter])
}
