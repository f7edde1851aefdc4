// Plain JavaScript, because worker threads load this file from src/ (under vitest) and from dist/ alike.

/**
 * Credentials that can be told by their form alone. Each pattern demands enough of the body that code which only
 * *names* the form (a parser of PEM files, a documentation page) does not match. Google's browser keys (AIza…) are left
 * out: they are public by design.
 *
 * @type {readonly (readonly [what: string, pattern: RegExp])[]}
 */
const PATTERNS = [
  // A header, then base64 at once or after the lines that older forms have in between. Line ends real or escaped.
  [
    'a private key',
    /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\[rn]|[\s"'`+,])*(?:(?:Proc-Type|Version|Comment):[\s\S]{0,200}?)?[A-Za-z0-9+/]{40}/,
  ],
  // AWS's documentation uses keys that end in EXAMPLE.
  ['an AWS access key', /\b(?:AKIA|ASIA)(?![A-Z0-9]*EXAMPLE)[A-Z0-9]{16}\b/],
  ['an npm token', /\bnpm_[A-Za-z0-9]{36}\b|:_auth(?:Token)?\s*=\s*["']?[A-Za-z0-9+/=_-]{16,}/],
  ['a GitHub token', /\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b/],
  ['a GitLab token', /\bglpat-[A-Za-z0-9_-]{20}\b/],
  ['a PyPI token', /\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}/],
  ['a Slack token', /\bxox[abposr]-[0-9]{8,}-[A-Za-z0-9-]{10,}/],
  ['a Stripe live key', /\b[rs]k_live_[A-Za-z0-9]{24,}\b/],
  ['a SendGrid key', /\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b/],
]

/**
 * What credential the bytes hold, if one is found.
 *
 * @param {Uint8Array} bytes
 * @returns {string | undefined} words for a message: "a private key"
 */
export function findSecret(bytes) {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return PATTERNS.find(([, pattern]) => pattern.test(text))?.[0]
}

// npm's (npmrc(5)) and Yarn's settings; a value of `${NAME}` is in the environment.
const REGISTRY_PASSWORD =
  /^\s*(?:\/\/\S+?:)?_(?:auth|authToken|password)\s*=\s*["']?[^\s"'$]|^\s*npmAuth(?:Token|Ident)\s*:\s*["']?[^\s"'$]/m

/**
 * Whether settings of npm or Yarn hold what signs in to a registry, however short.
 *
 * @param {Uint8Array} bytes
 */
export function hasRegistryPassword(bytes) {
  return REGISTRY_PASSWORD.test(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'))
}
