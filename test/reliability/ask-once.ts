import { open, parseResponse, type RawResponse, readAll } from '../host/raw.ts'

export const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`

/** On a connection of its own; status 0 where it ended without an answer. */
export async function askOnce(port: number, path: string): Promise<RawResponse> {
  const socket = await open(port)
  const answer = readAll(socket)
  socket.write(get(path, 'Connection: close\r\n'))
  return parseResponse(await answer)
}
