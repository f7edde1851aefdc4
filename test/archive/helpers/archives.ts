import { METADATA, makeZapp, SITE } from '../../../fixtures/make/zapp-maker.ts'

const MIB = 1024 * 1024

/** Nothing that deflate could make smaller, and the same in every run. */
export function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = 0x9e3779b9
  for (let i = 0; i + 4 <= length; i += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes.writeInt32LE(state, i)
  }
  return bytes
}

/** Files beyond what is read in one piece: they take the ways that stream. */
export const LARGE_DEFLATED = Buffer.concat([noise(MIB), Buffer.alloc(2 * MIB, 'text '), noise(MIB)])
export const LARGE_STORED = noise(2 * MIB + 17)

export function makeLargeZapp(): Buffer {
  return makeZapp({
    files: [
      { name: 'large-deflated', data: LARGE_DEFLATED, method: 8 },
      { name: 'large-stored', data: LARGE_STORED },
      ...SITE,
      ...METADATA,
    ],
  })
}

/** A small archive with one file of each kind. */
export function makeSmallZapp(): Buffer {
  return makeZapp({ files: [...SITE, { name: 'run', data: '#!/bin/sh\n', mode: 0o100755 }] })
}
