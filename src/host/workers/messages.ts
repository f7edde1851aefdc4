import type { ErrorCode, Finding } from '../../errors.ts'
import type { Manifest } from '../../format/manifest-types.ts'
import type { LogLine } from '../../runtimes/log-lines.ts'
import type { ProcessLimits } from '../../runtimes/process-limits.ts'
import type { AccessFormat, AccessRecord } from '../access-log.ts'
import type { Counts } from '../metrics.ts'
import type { Territory } from '../territory.ts'

/*
 * What the host and a worker say to each other over Node's IPC channel, a JSON object a message. Workers are written in
 * other languages too: python/zapp/server/worker.py.
 */

/** The first message. */
export interface StartMessage {
  readonly type: 'start'
  /** The archive, which stays there while the worker runs. */
  readonly file: string
  readonly mount: string
  readonly config: Readonly<Record<string, string>>
  readonly cache: string
  readonly data: string
  /** Archives of earlier versions, the newest first. */
  readonly earlier: readonly string[]
  /** Of requests, and of processes that the worker starts; its own memory is the host's to look after. */
  readonly limits: ProcessLimits
  /** Path of the Unix socket on which only the host asks. */
  readonly socket: string
  /** How entries of Python are run there. */
  readonly workers: Manifest['workers']
  /** Path of the interpreter for them, where one is named. */
  readonly python?: string | undefined
  /** What the access log calls the app. */
  readonly app: string
}

/** The first message, in place of the other: a command of the app is run, and nothing else. */
export interface CommandMessage {
  readonly type: 'command'
  readonly file: string
  /** With placeholders. */
  readonly run: readonly string[]
  readonly config: Readonly<Record<string, string>>
  readonly cache: string
  readonly data: string
  readonly processLimits?: ProcessLimits | undefined
}

export type ToWorker =
  | StartMessage
  /**
   * With a socket. `head`: what was read of it, one character for each byte. `place`: the host counts it, and is told by this
   * number when it has `ended`.
   */
  | { readonly type: 'connection'; readonly head: string; readonly place?: number }
  /** Which requests on its connections are the worker's own. */
  | { readonly type: 'territory'; readonly territory: Territory }
  /** How requests are logged from now on; until then they are counted only. */
  | { readonly type: 'accessLog'; readonly format: AccessFormat | 'off' }
  /** With a listening socket, which it shares. */
  | { readonly type: 'listen' }
  /**
   * Takes no more, and gives connections back as soon as nothing runs on them. `last`: nobody takes them back, they end.
   * What is left after `graceMs` is cut. The worker ends when the last has gone and `end` was said.
   */
  | { readonly type: 'drain'; readonly graceMs: number; readonly last?: boolean }
  /** Nothing comes on the private socket any more. */
  | { readonly type: 'end' }
  /** Asks for how long nothing has run on its connections, and whether its event loop turns at all. */
  | { readonly type: 'activity' }

export type FromWorker =
  | { readonly type: 'ready' }
  /** It accepts connections by itself. */
  | { readonly type: 'listening' }
  /** It has answered its number of requests, and wants to be replaced. */
  | { readonly type: 'retire' }
  /**
   * ms in which nothing has run on the connections that it was handed; 0 while something does. `isDebugged`: an inspector
   * is open, which may stop it at a breakpoint.
   */
  | { readonly type: 'activity'; readonly idleMs: number; readonly isDebugged?: boolean }
  /** The last of its connections has gone. */
  | { readonly type: 'drained' }
  /** It ends then. */
  | { readonly type: 'failed'; readonly findings: readonly Finding[] }
  /** With a socket, as `connection`. */
  | { readonly type: 'return'; readonly head: string; readonly place?: number }
  /** Connections that it was handed, and has not returned. */
  | { readonly type: 'ended'; readonly places: readonly number[] }
  | ({ readonly type: 'report' } & Report)
  /** The same of a worker that leaves it to the host to count and write. `texts`: what records name by its index, because in many of them it is the same. */
  | { readonly type: 'access'; readonly texts: readonly string[]; readonly records: readonly SentRecord[] }
  /** Of a process that it started for an entry: it ended, or did not come up again. `isDown`: nothing of the app is left that could answer. */
  | { readonly type: 'entryEnded'; readonly how: string; readonly isDown: boolean }
  /** One runs again. */
  | { readonly type: 'entryUp' }
  | { readonly type: 'log'; readonly line: LogLine }
  | { readonly type: 'error'; readonly where: string; readonly error: SentError }

/** What a worker has answered since it last said so. */
export interface Report {
  readonly counts: Counts
  /** Of the access log, each with its end. */
  readonly lines: string
  /** Lines that came faster than the host took them. */
  readonly lost: number
}

/** A record without its app, as an array: half the work of an object, for both sides, and there is one for each request. */
export type SentRecord = readonly [
  time: number,
  peer: string,
  method: string,
  target: string,
  httpVersion: string,
  status: number,
  bytes: number,
  micros: number,
  /** 0 or 1. */
  aborted: number,
  /** The worker answered by itself: 1, else 0. */
  own: number,
  id: string,
  referer: number,
  userAgent: number,
]

export function unpackRecord(
  record: SentRecord,
  texts: readonly string[],
  { id: app, version }: { readonly id: string; readonly version: string },
): AccessRecord {
  const [time, peer, method, target, httpVersion, status, bytes, micros, aborted, own, id, referer, userAgent] = record
  return {
    time,
    peer,
    method,
    target,
    httpVersion,
    status,
    bytes,
    ms: micros / 1000,
    app: own === 1 ? '-' : app,
    version: own === 1 ? '' : version,
    aborted: aborted === 1,
    id,
    referer: texts[referer] ?? '',
    userAgent: texts[userAgent] ?? '',
  }
}

export interface SentError {
  readonly name: string
  readonly message: string
  /** Where the app threw it. */
  readonly stack?: string
  /** Of a ZappError. */
  readonly code?: ErrorCode
}
