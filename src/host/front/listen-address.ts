import type { PairFiles } from '../tls/certificate.ts'

/** Where the host listens, and for what. */
export interface ListenAddress {
  readonly host: string
  /** 0 takes any free one. */
  readonly port: number
  /** At least one: the first is for clients that ask for no name, or for one that none is for. */
  readonly tls?: readonly PairFiles[]
  /** Leads to https and serves no app. */
  readonly redirect?: Redirect
}

export interface Redirect {
  /** Of the addresses that it leads to. */
  readonly port: number
  /** The folder in which `.well-known/acme-challenge/` holds answers to HTTP-01 challenges. Absolute. */
  readonly webroot?: string
}

/** What two of them have in common that are one and the same listener. */
export function placeOfAddress({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** An address that a browser on this machine can open; ends in "/". */
export function urlOfAddress({ host, tls }: ListenAddress, port: number): string {
  const local = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http${tls ? 's' : ''}://${local.includes(':') ? `[${local}]` : local}:${port}/`
}

/** Only programs on this machine reach it. */
export function isLoopback({ host }: Pick<ListenAddress, 'host'>): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
