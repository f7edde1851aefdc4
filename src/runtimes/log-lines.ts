import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** One line of what a program prints. */
export interface LogLine {
  /** Name of the entry. */
  readonly entry: string
  readonly stream: 'stdout' | 'stderr'
  /** Without its end. Not made safe to print. */
  readonly text: string
}

/** A line that is longer comes in pieces: what has no line ends must not fill the memory. */
const MAX_LINE = 16 * 1024

/** Reads a stream to its end, line by line, as UTF-8. */
export function readLines(stream: Readable, onLine: (text: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  const emit = (line: string) => {
    for (let at = 0; at === 0 || at < line.length; at += MAX_LINE) onLine(line.slice(at, at + MAX_LINE))
  }
  const take = (text: string) => {
    const lines = (rest + text).split(/\r?\n/)
    rest = lines.pop() ?? ''
    lines.forEach(emit)
    for (; rest.length > MAX_LINE; rest = rest.slice(MAX_LINE)) onLine(rest.slice(0, MAX_LINE))
  }
  stream.on('data', (chunk: Buffer) => take(decoder.write(chunk)))
  stream.on('error', () => {})
  stream.once('close', () => {
    take(decoder.end())
    if (rest !== '') onLine(rest)
  })
}
