import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Manifest } from '../format/manifest-types.ts'
import type { Answer, EntryAnswer } from '../mount/answer.ts'

/** Whether an entry is to take an upgrade to WebSocket. */
export function takesUpgrade(answer: Answer, { entries }: Manifest): answer is EntryAnswer {
  return answer.kind === 'entry' && (answer.route.websocket || entries.get(answer.entry)?.websocket === true)
}

/** The status for an upgrade that none takes. */
export function upgradeRefusal(answer: Answer): number {
  return answer.kind === 'response' && answer.status >= 400 ? answer.status : 400
}

/** Answers an upgrade with an error and closes: a connection left open would be a tunnel past every check. */
export function refuseUpgrade(socket: Duplex, status: number, text: string): void {
  socket.once('finish', () => socket.destroy())
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(text)}`,
      '',
      text,
    ].join('\r\n'),
  )
}
