/** A content coding that a stored file can be sent in. */
export type Coding = 'br' | 'gzip' | 'identity'

/** Weight of each coding, 0 to 1; 0 is "not acceptable". */
export type Accepted = Readonly<Record<Coding, number>>

const ONLY_IDENTITY: Accepted = { br: 0, gzip: 0, identity: 1 }
const MEMBER = /^\s*([!#$%&'*+.^_`|~0-9a-z-]+)\s*(?:;\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?$/i

/** Browsers send a handful of different values; a client that sends many must not grow this without end. */
const MEMO_SIZE = 64
const memo = new Map<string, Accepted>()

/**
 * Reads Accept-Encoding (RFC 9110 §12.5.3). Without the field everything is acceptable by the letter, but clients that
 * say nothing cannot decode: they get identity. A member that is not well-formed is left out.
 */
export function acceptedCodings(field: string | null | undefined): Accepted {
  if (field === null || field === undefined) return ONLY_IDENTITY
  const known = memo.get(field)
  if (known !== undefined) return known
  const accepted = parse(field)
  if (memo.size >= MEMO_SIZE) memo.clear()
  memo.set(field, accepted)
  return accepted
}

/**
 * Picks among identity and the codings whose property is set, by weight; of equal weights the smallest body. Identity when nothing else fits, even where the client refuses
 * it: RFC 9110 §12.1 leaves the choice between 406 and an answer as if the field were not there, and a body that a
 * client may be able to use beats one that it surely cannot.
 */
export function chooseCoding(accepted: Accepted, offered: { readonly br?: unknown; readonly gzip?: unknown }): Coding {
  const br = offered.br === undefined ? 0 : accepted.br
  const gzip = offered.gzip === undefined ? 0 : accepted.gzip
  if (br > 0 && br >= gzip && br >= accepted.identity) return 'br'
  return gzip > 0 && gzip >= accepted.identity ? 'gzip' : 'identity'
}

function parse(field: string): Accepted {
  const weights = new Map<string, number>()
  for (const member of field.split(',')) {
    const [, name, q] = MEMBER.exec(member) ?? []
    // x-gzip is an old name of gzip (RFC 9110 §8.4.1.3).
    if (name !== undefined) weights.set(name.toLowerCase().replace(/^x-gzip$/, 'gzip'), q === undefined ? 1 : Number(q))
  }
  const rest = weights.get('*') ?? 0
  // Identity that is not mentioned is acceptable, but behind every coding that was asked for.
  const identity = weights.get('identity') ?? (weights.has('*') ? rest : Number.MIN_VALUE)
  return { br: weights.get('br') ?? rest, gzip: weights.get('gzip') ?? rest, identity }
}
