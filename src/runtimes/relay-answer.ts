import type { ServerResponse } from 'node:http'
import { BadAnswer } from './bad-answer.ts'
import { type CgiHead, endOfHead, parseHead } from './cgi-response.ts'
import type { Exit, ScriptProcess } from './script-process.ts'
import { writeHead } from './write-head.ts'

/** More than any script has to say; and what a script that never ends its header may have of our memory. */
const MAX_HEAD = 64 * 1024

/** Most scripts end right after their last word. So their answer is one write, with its length, instead of three. */
const HELD_MS = 5
const MAX_HELD = 16 * 1024

/**
 * Sends a script's answer as it comes, but for {@link HELD_MS}, and no faster than the client takes it. The output is read
 * to its end in any case: a script that waits for a reader could not be ended gently.
 *
 * @returns the head; where it is a local redirect nothing was sent. Undefined: the client has gone
 * @throws BadAnswer, and Error where the script was killed in the middle or has said less than its Content-Length
 */
export function relayAnswer(script: ScriptProcess, res: ServerResponse): Promise<CgiHead | undefined> {
  const { output } = script
  return new Promise((resolve, reject) => {
    /** Of the head, until it is complete; then of the body, as long as that is held. */
    let block: Buffer = Buffer.alloc(0)
    let head: CgiHead | undefined
    let held: NodeJS.Timeout | undefined
    let sent = 0
    let over = false

    const settle = (work: () => void) => {
      if (over) return
      over = true
      clearTimeout(held)
      res.off('drain', more).off('close', left)
      output.resume()
      work()
    }
    const take = (chunk: Buffer) => {
      if (over) return
      if (head && !held) return send(head, chunk)
      block = block.length === 0 ? chunk : Buffer.concat([block, chunk])
      if (!head) {
        const end = endOfHead(block)
        if (end === -1 ? block.length > MAX_HEAD : end > MAX_HEAD) {
          throw new BadAnswer('its header is longer than 64 KiB')
        }
        if (end === -1) return
        const found = parseHead(block.subarray(0, end))
        head = found
        if (found.local !== undefined) return settle(() => resolve(found))
        block = block.subarray(end)
        held = setTimeout(guard(release), HELD_MS, found)
      }
      if (block.length > MAX_HELD) release(head)
    }
    const release = (head: CgiHead) => {
      clearTimeout(held)
      held = undefined
      writeHead(res, head.status, head.reason, head.fields)
      if (block.length > 0) send(head, block)
      else res.flushHeaders()
    }
    const send = (head: CgiHead, chunk: Buffer) => {
      const left = (head.length ?? Number.POSITIVE_INFINITY) - sent
      sent += chunk.length
      if (left > 0 && !res.write(left < chunk.length ? chunk.subarray(0, left) : chunk)) output.pause()
    }
    const end = (exit: Exit) => {
      if (!head) throw new BadAnswer(script.withOutput(`${howItEnded(exit)} and gave no header`))
      // Its exit code says nothing of the answer: a shell script ends with that of its last command.
      if (exit?.signal) throw new Error(script.withOutput(`${howItEnded(exit)} in the middle of its answer`))
      const { length, status, reason, fields } = head
      const given = sent + (held ? block.length : 0)
      const hasBody = mayHaveBody(res, status)
      if (length !== undefined && given < length && hasBody) {
        throw new Error(`it gave ${given} of the ${length} bytes that its Content-Length says`)
      }
      if (held && length === undefined && hasBody) {
        writeHead(res, status, reason, [...fields, 'Content-Length', String(given)])
        res.end(block)
      } else {
        if (held) release(head)
        res.end()
      }
      settle(() => resolve(head))
    }
    const more = () => void output.resume()
    const left = () => settle(() => resolve(head))
    const guard =
      <T>(work: (value: T) => void) =>
      (value: T) => {
        try {
          if (!over) work(value)
        } catch (error) {
          settle(() => reject(error))
        }
      }

    output.on('data', guard(take))
    res.on('drain', more).once('close', left)
    script.whole.then(guard(end), (error) => settle(() => reject(error)))
  })
}

function howItEnded(exit: Exit): string {
  if (!exit) return 'it closed its output'
  return exit.signal ? `it was ended by ${exit.signal}` : `it ended with exit code ${exit.code}`
}

/** Neither 204 and 304 nor any answer to HEAD has one, whatever the script prints (RFC 3875 §4.3.3). */
function mayHaveBody({ req }: ServerResponse, status: number): boolean {
  return req.method !== 'HEAD' && status !== 204 && status !== 304
}
