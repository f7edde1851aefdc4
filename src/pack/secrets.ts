import { readFileSync } from 'node:fs'
import type { PlannedFile } from './plan.ts'
import { contentOf } from './read-file.js'
import { findSecret } from './secret-content.js'

/** Files that hold secrets by convention, told by their name alone; matched without regard to case. */
const NAMES: readonly (readonly [what: string, name: RegExp])[] = [
  // .env.example and its like are templates without values.
  ['an environment file', /^\.env(?!\.(?:example|sample|template|dist|defaults|schema)$)(?:\..*)?$/],
  ['a private SSH key', /^id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?$|\.ppk$/],
  ['a key store', /\.(?:p12|pfx|jks|keystore|kdbx)$/],
  [
    'stored credentials',
    /^(?:\.pypirc|[._]netrc|\.git-credentials|\.pgpass|\.my\.cnf|\.dockercfg|\.s3cfg|\.boto|\.vault-token)$/,
  ],
  ['stored credentials', /^(?:credentials|\.credentials|application_default_credentials\.json)$/],
  ['a password file', /^\.htpasswd$/],
  ['state of Terraform, which holds secrets in the clear', /\.tfstate(?:\.backup)?$/],
]

/**
 * Files that may hold a secret or nothing but public matter: their content decides, wherever they lie. So a
 * certificate (.pem, .crt) passes and a private key does not, and an .npmrc counts only with a token.
 */
const BY_CONTENT = /\.(?:pem|key|asc|gpg)$|^\.(?:npmrc|yarnrc|yarnrc\.yml)$/

// Keys and token files are a few KiB; a larger .key is something else (Apple's Keynote).
const MAX_CONTENT = 2 ** 20

/**
 * What secret a file must be taken for by its name, in words; undefined for none. Holds in dependency folders too.
 *
 */
export function secretByName({ path, source, size }: PlannedFile): string | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase()
  const known = NAMES.find(([, pattern]) => pattern.test(name))
  if (known) return known[0]
  if (!BY_CONTENT.test(name) || size > MAX_CONTENT) return undefined
  return findSecret(typeof source === 'string' ? readFileSync(source) : contentOf(source, size))
}
