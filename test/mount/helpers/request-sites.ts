import type { FileSpec } from './make-archive.ts'

/**
 * The archives that fixtures/requests/*.json ask: one tree under three manifests. They are committed, because the
 * vectors name ETags and lengths of deflate streams; UPDATE=1 writes them anew.
 */
const page = (title: string) =>
  `<!doctype html>\n<title>${title}</title>\n${`<p>${title}: a line that deflate can shorten.</p>\n`.repeat(12)}`
const script = (name: string) => `// ${name}\n${`export const ${name} = () => '${name}'\n`.repeat(20)}`
const stored = (content: string | Buffer): FileSpec => ({ content, method: 'stored' })
/** Made once: another version of Node may compress to other bytes. */
const base64 = (text: string) => stored(Buffer.from(text, 'base64'))
/** Bytes that no compressor shortens, the same each time. */
const noise = (length: number) => Buffer.from(Array.from({ length }, (_, i) => (i * i * 31 + i * 7 + (i >> 3)) & 0xff))

const STYLE = `/* style */\n${'a { color: #123456; }\n'.repeat(40)}`
export const TREE: Readonly<Record<string, FileSpec>> = {
  '.env': 'SECRET=1\n',
  '.git/config': '[core]\n',
  '.next/static/chunk.js': script('chunk'),
  'app.js': script('app'),
  'errors/404.html': page('not here'),
  'errors/5xx.txt': stored('broken\n'),
  'papers/deep/two.pdf': stored(noise(40)),
  'papers/one.pdf': stored(noise(30)),
  'private/secret.txt': stored('secret\n'),
  'public/%2e%2e/odd.txt': stored('a folder named %2e%2e\n'),
  'public/.env': stored('SECRET=2\n'),
  'public/.git/config': stored('[core]\n'),
  'public/.well-known/.hidden': stored('hidden\n'),
  'public/.well-known/security.txt': stored('Contact: mailto:security@shop.example\n'),
  'public/100%.txt': stored('per cent\n'),
  'public/LICENSE': stored('free\n'),
  'public/a b.txt': stored('space\n'),
  'public/app.js': script('shop'),
  'public/assets/app.1a2b.js': script('asset'),
  'public/café.txt': stored('coffee\n'),
  'public/data.woff2': { content: 'w'.repeat(500), method: 'deflate' },
  'public/docs/guide.html': page('guide'),
  'public/docs/index.html': page('docs'),
  'public/dots..txt': stored('two dots\n'),
  'public/empty.txt': stored(''),
  'public/files/note.txt': stored('no welcome file here\n'),
  'public/hash#.txt': stored('hash\n'),
  'public/index.html': page('home'),
  'public/logo.png': stored(noise(300)),
  'public/only.js': script('only'),
  'public/only.js.br': base64('G5sC+AVieZ7QW0UBlUm6K9hk3YgmszSoNwgBBpMYAcgohN65z3NBYk4WunO+Bg=='),
  'public/plus+.txt': stored('plus\n'),
  'public/semi;colon.txt': stored('semicolon\n'),
  'public/style.css': STYLE,
  'public/style.css.br': base64('G3sD+I3THbX6S3Z6stZfvh+KlpRsSgEkN/GltyzhBVgQS9C+6xXlyOr5AA=='),
  'public/style.css.gz': base64('H4sIAAAAAAACA9PXUiguqcxJVdDS50pUqFZIzs/JL7JSUDY0MjYxNbNWqB0VHRUdFaWJKABDNmLZfAMAAA=='),
  'public/ten.txt': stored('0123456789'),
  'public/tiny.css': { content: 'a{}', method: 'deflate' },
  'public/two/index.htm': page('second choice'),
  'public/web-inf/x.txt': stored('a plain name here\n'),
  'spa/index.html': page('single page'),
  'spa/main.js': script('main'),
}

const base = { zapp: 1, version: '1.0.0' }

/** Nothing but files. */
const site = {
  ...base,
  name: 'site',
  routes: {
    '/': { static: 'public' },
    '/assets/*': { static: 'public/assets', cache: 'immutable' },
    '/hour/*': { static: 'public', cache: '1h', headers: { 'X-Frame-Options': 'DENY', Vary: 'Origin' } },
    '/fresh/*': { static: 'public', cache: 'no-store' },
    '/own/*': { static: 'public', headers: { 'Cache-Control': 'max-age=5', 'Content-Type': 'text/x-own' } },
    '/built/*': { static: '.next/static', cache: 'immutable' },
    '/spa/*': { static: 'spa', else: { file: 'spa/index.html' }, cache: 'immutable' },
    '/hello': { static: 'public/ten.txt' },
    '/page': { static: 'public/style.css' },
    '/old': { redirect: { to: '/docs/' } },
    '/old/*': { redirect: { to: '/docs/guide.html', status: 301 }, cache: '1h' },
    '/away': { redirect: { to: 'https://other.example/x?y', status: 302 } },
    '*.pdf': { static: 'papers' },
  },
  welcome: ['index.html', 'index.htm'],
  errors: { '404': 'errors/404.html', '5xx': 'errors/5xx.txt' },
}

/** Files in front of entries. */
const app = {
  ...base,
  name: 'app',
  entries: { main: { type: 'node', module: 'app.js' }, api: { type: 'node', module: 'app.js' } },
  routes: {
    '/': { static: 'public', else: { entry: 'main' } },
    '/raw/*': { entry: 'main' },
    '/api/*': { entry: 'api', strip: true },
    '/api/v2/*': { entry: 'main', strip: true },
    '/api/v2/status': { entry: 'api' },
    '/strict/*': { static: 'public' },
    '/caf\u00e9/*': { entry: 'api', strip: true },
    '*.php': { entry: 'api' },
  },
}

/** Neither a default route nor error pages. */
const bare = {
  ...base,
  name: 'bare',
  routes: { '/files/*': { static: 'public' }, '/whole/*': { static: 'spa', else: { file: 'spa/index.html' } } },
}

export const REQUEST_SITES = { site, app, bare }
