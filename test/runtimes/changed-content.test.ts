import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadApp } from '../../src/runtimes/load.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { npmTree } from '../helpers/npm-tree.ts'
import { tmpDir } from '../helpers/tmp.ts'

/**
 * Frameworks take tags and dates from size and modification time. With the zip's date, which is always the same, a
 * client that has version 1 would be told 304 for version 2's file of the same size.
 */
describe('content that changed but kept its size', () => {
  it('is sent by express.static, whatever validator the client has', async () => {
    const dir = await tmpDir()
    const express = npmTree('express5', 'express')
    const code = 'module.exports = require("express")().use(require("express").static(__dirname + "/public"))'
    const versions = ['one', 'two', 'one'].map((text, i) =>
      makeArchive(
        dir,
        { version: `1.0.${i}`, entry: { type: 'node', module: 'app.js' } },
        { 'app.js': code, 'public/a.css': text, 'public/same.css': 'same', ...express },
      ),
    )
    const get = async (archive: string, file: string, headers: Record<string, string>) => {
      const app = await loadApp(archive, { cache: join(dir, 'cache') })
      const answer = await app.fetch(new Request(`http://host/${file}`, { headers }))
      const text = await answer.text()
      await app.close()
      return {
        status: answer.status,
        text,
        etag: answer.headers.get('etag')!,
        date: answer.headers.get('last-modified')!,
      }
    }

    // All within one second, as a quick redeploy may be.
    const one = await get(await versions[0]!, 'a.css', {})
    for (const headers of [{ 'If-None-Match': one.etag }, { 'If-Modified-Since': one.date }]) {
      expect(await get(await versions[1]!, 'a.css', headers as never)).toMatchObject({ status: 200, text: 'two' })
    }
    expect((await get(await versions[1]!, 'a.css', {})).etag).not.toBe(one.etag)
    // What did not change is known again, also after a return to the old version.
    const same = await get(await versions[0]!, 'same.css', {})
    expect((await get(await versions[1]!, 'same.css', { 'If-None-Match': same.etag })).status).toBe(304)
    expect((await get(await versions[1]!, 'same.css', { 'If-Modified-Since': same.date })).status).toBe(304)
    expect((await get(await versions[2]!, 'a.css', { 'If-None-Match': one.etag })).status).toBe(304)
  })
})
