import { expect, test } from 'vitest'
import { parseManifest } from '../../src/format/manifest-parse.ts'

/** One manifest with a mistake against every rule of shape (M) and across keys (R1 to R23; R22 wants a tree). */
const EVERY_MISTAKE = {
  zapp: 2,
  name: 'Shop',
  versoin: '1.0.0',
  title: 7,
  entry: { type: 'node', module: '../app.js', env: { PATH: '/bin', SAME: 'a' } },
  entries: { old: { type: 'cgi', dir: 'cgi-bin', script: 'cgi-bin/a' }, web: { type: 'server' } },
  routes: {
    '/*': { entry: 'old' },
    '/both': { entry: 'old', redirect: { to: '/' } },
    '/else': { static: 'public', strip: true },
    '/two/*': { static: 'public', else: { entry: 'old', file: 'public/a' } },
    '/none': { entry: 'nobody' },
    '/socket': { entry: 'old', websocket: true },
    '/head': { static: 'public', headers: { 'Content-Length': '1' } },
    '/strip': { entry: 'old', strip: true },
    '/': { entry: 'old' },
  },
  config: {
    MODE: { type: 'enum' },
    SIZE: { type: 'integer', default: 'many' },
    KEY: { type: 'string', secret: true, default: 'x' },
    SAME: { type: 'string' },
  },
  data: { all: { path: 'public' } },
  lifecycle: { migrate: { run: ['{ruby}', 'x'], timeout: '9d' } },
  workers: { server: 'uvicorn' },
  processes: { mail: { run: ['{node}', 'mail.js'], count: 1, every: '1h' } },
}

test('every mistake that a manifest can hold is reported in one go', () => {
  const { findings, manifest } = parseManifest(Buffer.from(JSON.stringify(EVERY_MISTAKE, undefined, 2)))
  expect(manifest).toBeUndefined()
  const found = new Set(findings.map(({ code, args }) => args.rule ?? code))
  const rules = Array.from({ length: 23 }, (_, i) => `R${i + 1}`).filter((rule) => rule !== 'R22')
  const shape = ['MANIFEST_TYPE', 'MANIFEST_UNKNOWN_KEY', 'MANIFEST_VALUE', 'MANIFEST_REQUIRED']
  expect([...rules, ...shape].filter((rule) => !found.has(rule))).toEqual([])
  expect(findings.filter(({ line, column }) => line === undefined || column === undefined)).toEqual([])
})
