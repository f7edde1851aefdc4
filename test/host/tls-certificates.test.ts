import { unwatchFile, watchFile } from 'node:fs'
import { chmod, copyFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { readCertificate } from '../../src/host/tls/certificate.ts'
import { Certificates } from '../../src/host/tls/certificates.ts'
import { Chooser } from '../../src/host/tls/chooser.ts'
import { isMisdirected } from '../../src/host/tls/misdirected.ts'
import { certificateFile, pairOf, replacePair } from '../helpers/certificates.ts'
import { rejection } from './helper.ts'

describe('a certificate and its key', () => {
  it('are read with the names that they are for', async () => {
    const files = await pairOf('shop')
    expect(await readCertificate(files)).toMatchObject({
      files,
      names: ['shop.example', '*.shop.example', 'localhost'],
      validTo: new Date('2126-01-01T00:00:00Z'),
      warnings: [],
    })
  })

  it('that do not belong together are refused', async () => {
    const files = await pairOf('shop')
    await replacePair(files, 'shop', 'other')
    const error = await rejection(readCertificate(files))
    expect(error).toMatchObject({ code: 'TLS_MISMATCH', findings: [{ path: files.key }], args: { cert: files.cert } })
  })

  it.each([
    ['TLS_CERTIFICATE', 'cert', 'not PEM'],
    ['TLS_CERTIFICATE', 'cert', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'],
    ['TLS_KEY', 'key', 'not PEM'],
    ['TLS_KEY', 'key', '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n'],
  ] as const)('%s where the %s is %j', async (code, which, text) => {
    const files = await pairOf('shop')
    await writeFile(files[which], text)
    const error = await rejection(readCertificate(files))
    expect(error).toMatchObject({ code, findings: [{ path: files[which] }] })
    // In words, without the numbers of OpenSSL.
    expect(error?.message).not.toMatch(/error:|[0-9A-F]{8}/)
  })

  it('a broken chain behind a good certificate is refused', async () => {
    const files = await pairOf('shop')
    await writeFile(files.cert, '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', { flag: 'a' })
    expect(await rejection(readCertificate(files))).toMatchObject({ code: 'TLS_CERTIFICATE' })
  })

  it('a key with a passphrase is refused, in these words', async () => {
    const files = await pairOf('shop')
    await copyFile(certificateFile('locked.key.pem'), files.key)
    expect(await rejection(readCertificate(files))).toMatchObject({
      code: 'TLS_KEY',
      args: { reason: 'one with a passphrase' },
    })
  })

  it('that are not there are an error with the file', async () => {
    const files = await pairOf('shop')
    expect(await rejection(readCertificate({ ...files, key: `${files.key}x` }))).toMatchObject({
      code: 'NOT_FOUND',
      args: { file: `${files.key}x` },
    })
    expect(await rejection(readCertificate({ ...files, cert: `${files.cert}/x` }))).toMatchObject({ code: 'IO' })
  })

  it('whose time is over are read with a warning', async () => {
    const { warnings } = await readCertificate(await pairOf('expired'))
    expect(warnings).toMatchObject([{ code: 'TLS_EXPIRED', severity: 'warning', args: { to: /2020/ } }])
  })

  it('whose key everybody can read are read with a warning; its group may', async () => {
    const files = await pairOf('shop')
    await chmod(files.key, 0o640)
    expect((await readCertificate(files)).warnings).toEqual([])
    await chmod(files.key, 0o644)
    expect((await readCertificate(files)).warnings).toMatchObject([
      { code: 'TLS_KEY_EXPOSED', severity: 'warning', path: files.key, args: { mode: '0644' } },
    ])
  })
})

describe('certificates in force', () => {
  /** Who follows the file. */
  function followers(file: string): number {
    const own = () => {}
    const count = watchFile(file, { persistent: false }, own).listenerCount('change') - 1
    unwatchFile(file, own)
    return count
  }

  it('are followed until they are closed, and not again by what was being read then', async () => {
    const files = await pairOf('shop')
    const told: unknown[] = []
    const certificates = new Certificates({ onNews: (news) => told.push(news), onChange: () => {} })
    const first = await certificates.read([files])
    first.apply()
    expect([followers(files.cert), followers(files.key), told.length]).toEqual([1, 1, 1])
    await replacePair(files, 'other')
    const reading = certificates.read([files])
    certificates.close()
    const read = await reading
    read.apply()
    expect([followers(files.cert), followers(files.key), told.length]).toEqual([0, 0, 1])
  })
})

describe('of several certificates', () => {
  const all = async () => {
    const shop = await readCertificate(await pairOf('shop'))
    const other = await readCertificate({ ...(await pairOf('other')), hosts: ['named.example', '*.named.example'] })
    return { shop, other, chooser: new Chooser([shop, other]) }
  }

  it('the one for the name is taken, and the first for any other', async () => {
    const { shop, other, chooser } = await all()
    for (const name of ['shop.example', 'SHOP.example', 'www.shop.example', undefined, 'unknown.example', '']) {
      expect(chooser.choose(name)).toBe(shop)
    }
    for (const name of ['named.example', 'a.named.example']) expect(chooser.choose(name)).toBe(other)
    // The settings name others for it than it was issued for.
    expect(chooser.choose('other.example')).toBe(shop)
  })

  it('a request is misdirected where the one that was shown is not for its host', async () => {
    const { shop } = await all()
    const judge = (name: string | undefined, host: string | undefined) =>
      isMisdirected({ name, certificate: shop }, host)
    for (const host of [
      'shop.example',
      'shop.example:8443',
      'a.shop.example',
      'shop.example.',
      '127.0.0.1',
      '[::1]:1',
    ]) {
      expect([host, judge('shop.example', host)]).toEqual([host, false])
      expect([host, judge(undefined, host)]).toEqual([host, false])
    }
    for (const host of ['other.example', 'a.b.shop.example', '.shop.example', 'xshop.example', 'example']) {
      expect([host, judge('shop.example', host)]).toEqual([host, true])
      expect([host, judge(undefined, host)]).toEqual([host, true])
    }
    // There is no better certificate for a name than the one that its client took.
    expect(judge('other.example', 'other.example')).toBe(false)
    expect(judge('shop.example', undefined)).toBe(false)
  })
})
