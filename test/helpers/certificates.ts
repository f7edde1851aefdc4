import { copyFile, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tmpDir } from './tmp.ts'

/** Those of test/helpers/certificates, which make.sh tells more of. */
export type CertificateName = 'shop' | 'renewed' | 'other' | 'expired'

const HERE = join(import.meta.dirname, 'certificates')

export interface TestPair {
  readonly cert: string
  readonly key: string
}

/** A copy of a certificate and its key in a folder of their own, as an administrator would keep them. */
export async function pairOf(name: CertificateName): Promise<TestPair> {
  const dir = await tmpDir()
  const pair = { cert: join(dir, 'fullchain.pem'), key: join(dir, 'privkey.pem') }
  await replacePair(pair, name)
  return pair
}

/** Puts another one in its place, each file in one step. */
export async function replacePair({ cert, key }: TestPair, name: CertificateName, keyName = name): Promise<void> {
  await copyFile(join(HERE, `${name}.pem`), `${cert}.new`)
  await writeFile(`${key}.new`, await readFile(join(HERE, `${keyName}.key.pem`)), { mode: 0o600 })
  await rename(`${cert}.new`, cert)
  await rename(`${key}.new`, key)
}

/** What a client is to trust: each is its own authority. */
export const authorities = (...names: CertificateName[]): Promise<string[]> =>
  Promise.all(names.map((name) => readFile(join(HERE, `${name}.pem`), 'utf8')))

export const certificateFile = (file: string): string => join(HERE, file)
