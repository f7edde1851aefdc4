import type { Certificate } from './certificate.ts'

/** Chooses among certificates by the name that a client asks for (SNI, RFC 6066 §3). */
export class Chooser {
  /** For clients that ask for no name, or for one that none is for. */
  readonly first: Certificate
  /** By name, and by `*.` with what follows the first label. */
  readonly #byName = new Map<string, Certificate>()

  /** @param certificates at least one; of several for one name the first is taken */
  constructor(certificates: readonly Certificate[]) {
    this.first = certificates[0] as Certificate
    for (const certificate of certificates) {
      for (const name of certificate.files.hosts ?? certificate.names) {
        if (!this.#byName.has(name)) this.#byName.set(name, certificate)
      }
    }
  }

  /** @param name undefined where the client asked for none */
  choose(name: string | undefined): Certificate {
    return (name === undefined ? undefined : findName(name.toLowerCase(), this.#byName)) ?? this.first
  }
}

/** Whether a certificate was issued for a name, or is said to be for it. */
export function isFor({ names, files }: Certificate, name: string): boolean {
  return findName(name, new Map([...names, ...(files.hosts ?? [])].map((one) => [one, true] as const))) ?? false
}

/** A wildcard is the whole first label, and stands for exactly one: RFC 9525 §6.3. */
function findName<T>(name: string, among: ReadonlyMap<string, T>): T | undefined {
  const dot = name.indexOf('.')
  return among.get(name) ?? (dot > 0 ? among.get(`*${name.slice(dot)}`) : undefined)
}
