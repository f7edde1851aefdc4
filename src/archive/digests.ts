import { createHash } from 'node:crypto'
import type { Layout, RawEntry } from './layout.ts'
import { type ByteSource, readBuffer } from './source.ts'
import { CENTRAL, END } from './zip-records.ts'

const CHUNK = 1024 * 1024

/** `sha256:<hex>` of the whole file. */
export async function digestFile(source: ByteSource): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks(source, source.size)) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}

/**
 * `sha256:<hex>` of the file that the signer had: without the signature's entry, which is the last one, without its
 * directory record, and with an end record that counts one entry less. No other byte depends on the signature, so
 * this gives back the unsigned file bit for bit. FORMAT.md §Digests.
 */
export async function digestUnsigned(
  source: ByteSource,
  signature: RawEntry,
  { directoryOffset, endOffset }: Pick<Layout, 'directoryOffset' | 'endOffset'>,
): Promise<string> {
  const directorySize = endOffset - directoryOffset - CENTRAL.size - Buffer.byteLength(signature.path)
  const directory = await readBuffer(source, directoryOffset, directorySize)
  const end = Buffer.from(await readBuffer(source, endOffset, END.size))
  end.writeUInt16LE(signature.index, END.diskCount)
  end.writeUInt16LE(signature.index, END.count)
  end.writeUInt32LE(directorySize, END.directorySize)
  end.writeUInt32LE(signature.localOffset, END.directoryOffset)

  const hash = createHash('sha256')
  for await (const chunk of chunks(source, signature.localOffset)) hash.update(chunk)
  return `sha256:${hash.update(directory).update(end).digest('hex')}`
}

/** Each chunk is good until the next one is asked for. */
async function* chunks(source: ByteSource, length: number): AsyncGenerator<Buffer> {
  const memory = Buffer.allocUnsafe(CHUNK)
  for (let at = 0; at < length; at += CHUNK) yield await readBuffer(source, at, Math.min(CHUNK, length - at), memory)
}
