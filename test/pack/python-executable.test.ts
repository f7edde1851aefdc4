import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { validateArchive } from '../../src/archive/validate.ts'
import { pack } from '../../src/pack/pack.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { makeTree, NODE_APP, STATIC_APP } from './helpers/tree.ts'

const run = promisify(execFile)

const WSGI_APP = {
  'zapp.json': { zapp: 1, name: 'shop', version: '1.0.0', entry: { type: 'wsgi', app: 'app:application' } },
  'app.py':
    'def application(environ, start_response):\n    start_response("200 OK", [("Content-Type", "text/plain")])\n    return [b"hello"]\n',
}

test('an executable archive is an archive, and a program', async () => {
  const dir = await makeTree(WSGI_APP)
  const plain = await pack(dir, { out: join(dir, 'plain.zapp') })
  const { file, contentDigest, digest } = await pack(dir, { out: join(dir, 'program.zapp'), executable: true })
  expect(contentDigest).toBe(plain.contentDigest)
  expect(digest).not.toBe(plain.digest)
  expect(readFileSync(file).subarray(0, 25).toString('latin1')).toBe('#!/usr/bin/env python3\nPK')
  expect(statSync(file).mode & 0o777).toBe(0o755 & ~process.umask())
  expect((await validateArchive(file)).findings).toEqual([])
  const archive = await openArchive(file)
  expect(archive.manifest.name).toBe('shop')
  await archive.close()

  const cgi = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    REQUEST_METHOD: 'GET',
    SERVER_NAME: 'x',
    SERVER_PORT: '80',
    SERVER_PROTOCOL: 'HTTP/1.1',
    PATH_INFO: '/',
    SCRIPT_NAME: '',
    QUERY_STRING: '',
  }
  const env = { ...process.env, ...cgi, ZAPP_CACHE: await tmpDir() }
  for (const command of [[file], ['python3', file], ['python3', plain.file]]) {
    const { stdout } = await run(command[0]!, command.slice(1), { env })
    expect(stdout).toMatch(/^Status: 200[\s\S]*\r?\n\r?\nhello$/)
  }
})

test('PACK_EXECUTABLE: what Python cannot start is none', async () => {
  for (const tree of [NODE_APP, STATIC_APP]) {
    await expect(pack(await makeTree(tree), { executable: true })).rejects.toMatchObject({ code: 'PACK_EXECUTABLE' })
  }
})
