import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeArchive } from '../helpers/make-archive.ts'
import { type FileServer, serveFile } from '../helpers/range-server.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { cli, cliJson, ROOT } from './helper.ts'

const MANIFEST = { name: 'shop', version: '1.2.0', entry: { type: 'node', module: 'app.js' } }

let file: string
let server: FileServer
beforeAll(async () => {
  file = await makeArchive(await tmpDir(), MANIFEST, { 'app.js': 'module.exports = 1', 'b/c.txt': 'x'.repeat(1000) })
})

async function serve(path = file): Promise<void> {
  server = await serveFile(await readFile(path))
}

describe('inspect URL', () => {
  it('answers as for the file, but for what only the whole file tells', async () => {
    await serve()
    const remote = await cliJson(['inspect', server.url])
    const local = await cliJson(['inspect', file])
    expect(remote.code).toBe(0)
    expect(Object.keys(remote.answer)).toEqual(Object.keys(local.answer))
    expect(remote.answer).toEqual({
      ...local.answer,
      file: server.url,
      fileDigest: null,
      digest: null,
      validated: false,
    })
  })

  it('prints the same, and that the content was not checked', async () => {
    await serve()
    const remote = await cli(['inspect', server.url])
    const local = await cli(['inspect', file])
    const same = (text: string) => text.replace(/^.*: (?=[\d.]+ k?B, )/m, '').replace(/^file .*\n/m, '')
    expect([remote.code, same(remote.stdout)]).toEqual([0, same(local.stdout)])
    expect(remote.stdout).toContain(`\n${server.url}: `)
    expect(remote.stderr).toMatch(/^\nread [\d.]+ k?B in 1 request; the content was not checked\n$/)
  })

  it('shows the line of a manifest that is wrong, and what to do with the file', async () => {
    await serve(join(ROOT, 'fixtures/rejected/MANIFEST_UNKNOWN_KEY--typing-error.zapp'))
    const { code, stdout, stderr } = await cli(['inspect', server.url])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^error MANIFEST_UNKNOWN_KEY {2}http:\S+\/shop\.zapp › zapp\.json:1:79\n/)
    expect(stderr).toMatch(/\n {2}1 \| .*"rotues":\{\}\}\n {4}\| +\^{8}\n/)
    await serve(join(ROOT, 'fixtures/rejected/DATA_DESCRIPTOR--signed.zapp'))
    expect((await cli(['inspect', server.url])).stderr).toMatch(/\n {2}fix: Run: zapp repack shop\.zapp\n$/)
  })

  it('says why a server is of no use', async () => {
    await serve()
    server.before = (_, res) => !!res.writeHead(404).end()
    const { code, stdout, stderr } = await cli(['inspect', server.url])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toBe(
      `error URL_STATUS  ${server.url}\n  the server must answer with the file, got status 404\n` +
        '  fix: Check the address, and whether it asks for a login.\n',
    )
    expect(await cliJson(['inspect', server.url])).toMatchObject({ code: 1, answer: { error: { code: 'URL_STATUS' } } })
  })
})
