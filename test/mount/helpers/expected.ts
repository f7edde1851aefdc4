import { gunzipSync } from 'node:zlib'
import { expect } from 'vitest'
import type { Archive } from '../../../src/archive/archive.ts'

/** What a row of fixtures/requests says of its answer; the README there has the keys. */
export interface Expected {
  readonly entry?: string
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | null>>
  readonly body?: string
  readonly base64?: string
  readonly file?: string
  readonly slice?: readonly [number, number]
  readonly gunzips?: string
}

export interface Got {
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** null: there is none, nor a word about its length. */
  readonly body: Buffer | null
}

/** All that is expected but entry and status. */
export async function expectAnswer(got: Got, expected: Expected, archive: Archive): Promise<void> {
  const fileBytes = async (path: string) => Buffer.from(await archive.read(archive.entries.get(path)!))
  const headers = new Headers(got.headers.map(([name, value]): [string, string] => [name, value]))
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    expect([name, headers.get(name)]).toEqual([name, value])
  }
  const body = got.body ?? Buffer.alloc(0)
  if (got.body !== null) expect(headers.get('content-length')).toBe(String(body.length))
  if (expected.body !== undefined) expect(body.toString()).toBe(expected.body)
  if (expected.base64 !== undefined) expect(body.toString('base64')).toBe(expected.base64)
  if (expected.gunzips !== undefined) expect(gunzipSync(body).equals(await fileBytes(expected.gunzips))).toBe(true)
  if (expected.file !== undefined) {
    const [start, end] = expected.slice ?? [0, Number.POSITIVE_INFINITY]
    expect(body.equals((await fileBytes(expected.file)).subarray(start, end + 1))).toBe(true)
  }
}
