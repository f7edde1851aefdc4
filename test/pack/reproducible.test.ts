import { execFileSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { npmTree } from '../helpers/npm-tree.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { makeTree, NODE_APP, pkg, type Tree } from './helpers/tree.ts'

const CHILD = join(import.meta.dirname, 'helpers/pack-child.js')

const tree: Tree = {
  ...NODE_APP,
  'package.json': { name: 'shop', dependencies: { express: '5', a: '1' } },
  ...npmTree('express5', 'express'),
  ...pkg('node_modules/a', { dependencies: { b: '1' } }),
  ...pkg('node_modules/b', {}),
  'İstanbul/ı.txt': 'x',
  'private-use \ue000': 'x',
  'beyond 😀': 'x',
  'a-b': 'x',
  'a.b': 'x',
  'A/c': 'x',
  'script.sh': '#!/bin/sh\n',
}

/** The tree, made in another order, at another time, with other modes; packed by a process with another environment. */
async function packAs(
  env: Record<string, string>,
  umask: number,
  files: Tree,
): Promise<{ bytes: Buffer; contentDigest: string }> {
  const dir = await makeTree(files)
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    utimesSync(path, umask, umask * 1000)
    if (entry.isFile()) chmodSync(path, 0o666 & ~umask)
  }
  const out = join(await tmpDir(), `${umask}.zapp`)
  const command = `umask ${umask.toString(8).padStart(3, '0')} && exec "$0" "$@"`
  const options = { cwd: umask === 0 ? dir : '/', env: { PATH: process.env.PATH, ...env }, encoding: 'utf8' } as const
  const result = execFileSync('sh', ['-c', command, process.execPath, CHILD, dir, out], options)
  return { bytes: readFileSync(out), contentDigest: JSON.parse(result).contentDigest }
}

test('the same tree gives the same bytes in every time zone, locale, umask, place and order of creation', async () => {
  const first = await packAs({ TZ: 'Pacific/Kiritimati', LANG: 'C' }, 0o077, tree)
  const second = await packAs(
    { TZ: 'America/St_Johns', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8', NODE_OPTIONS: '--max-semi-space-size=1' },
    0,
    Object.fromEntries(Object.entries(tree).toReversed()),
  )
  expect(first.contentDigest).toBe(second.contentDigest)
  expect(Buffer.compare(first.bytes, second.bytes)).toBe(0)
})

test('worker threads give the same bytes as one thread', async () => {
  // Below and above the two MiB from which on workers are used; the difference is in one stored file at the end.
  const koa: Tree = { ...NODE_APP, 'package.json': { dependencies: { koa: '3' } }, ...npmTree('koa') }
  const small: Tree = { ...koa, 'public/pad.jpg': Buffer.alloc(1) }
  const big: Tree = { ...koa, 'public/pad.jpg': Buffer.alloc(3 * 2 ** 20) }
  const [inline, threaded] = [await packAs({}, 0o022, small), await packAs({}, 0o022, big)]
  const upTo = (bytes: Buffer) => bytes.indexOf('public/')
  expect(upTo(inline.bytes)).toBeGreaterThan(100_000)
  expect(
    Buffer.compare(inline.bytes.subarray(0, upTo(inline.bytes)), threaded.bytes.subarray(0, upTo(threaded.bytes))),
  ).toBe(0)
})
