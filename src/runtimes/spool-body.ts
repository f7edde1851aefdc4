import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'

/** A body whose length is known now. */
export interface Spooled {
  readonly file: FileHandle
  readonly length: number
}

/**
 * Writes a body into a file without a name: CONTENT_LENGTH has to be right before a script starts, and a chunked body tells
 * its length at its end. What is left of a process that is killed here is freed by the system.
 *
 * @param folder one that only this user can enter
 * @param limit bytes
 * @returns the file, to be closed by the caller, read from its beginning; or why there is none
 * @throws IO errors
 */
export async function spoolBody(
  req: IncomingMessage,
  folder: string,
  limit: number,
): Promise<Spooled | 'too long' | 'aborted'> {
  const path = join(folder, randomUUID())
  const file = await open(path, 'wx+', 0o600)
  try {
    await unlink(path)
    const length = await write(req, file, limit)
    if (length <= limit && req.complete) return { file, length }
    await file.close()
    return length > limit ? 'too long' : 'aborted'
  } catch (error) {
    await file.close()
    if (req.destroyed && !req.complete) return 'aborted'
    throw error
  }
}

/** At a place, so that the position that the script will share stays where it is: at the beginning. */
async function write(req: IncomingMessage, file: FileHandle, limit: number): Promise<number> {
  let length = 0
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (length + chunk.length > limit) return length + chunk.length
    const { bytesWritten } = await file.write(chunk, 0, chunk.length, length)
    if (bytesWritten < chunk.length) throw new Error('the disk is full')
    length += chunk.length
  }
  return length
}
