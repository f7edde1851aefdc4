import { findSecret, hasRegistryPassword } from './secret-content.js'

/** Files that hold secrets by convention, told by their name alone; matched without regard to case. */
const NAMES: readonly (readonly [what: string, name: RegExp])[] = [
  // .env.example and its like are templates without values; NAME.env may be anything, as a texture of Babylon.js.
  ['an environment file', /^\.env(?!\.(?:example|sample|template|dist|defaults|schema)$)(?:\..*)?$|^\.envrc$/],
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
 * certificate (.pem, .crt) passes and a private key does not, and an .npmrc counts only with a token or a password.
 */
const BY_CONTENT = /\.(?:pem|key|asc|gpg)$|^\.(?:npmrc|yarnrc|yarnrc\.yml)$/

/** Settings of package managers. */
const RC = /rc(?:\.yml)?$/

// Keys and token files are a few KiB; a larger .key is something else (Apple's Keynote).
const MAX_CONTENT = 2 ** 20

/**
 * What secret a file must be taken for by its name, in words; undefined for none. Holds in dependency folders too.
 *
 * @param size in bytes
 * @param read gives the content: asked for only where the name leaves it open
 */
export function secretByName(path: string, size: number, read: () => Uint8Array): string | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase()
  const known = NAMES.find(([, pattern]) => pattern.test(name))
  if (known) return known[0]
  if (!BY_CONTENT.test(name) || size > MAX_CONTENT) return undefined
  const bytes = read()
  return findSecret(bytes) ?? (RC.test(name) && hasRegistryPassword(bytes) ? 'a password of a registry' : undefined)
}
