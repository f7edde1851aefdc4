import type { LogLine } from '../../runtimes/log-lines.ts'
import type { Counts } from '../metrics.ts'
import type { FromWorker, SentError } from './messages.ts'

const isText = (value: unknown) => typeof value === 'string'
const isObject = (value: unknown) => typeof value === 'object' && value !== null

/** What a message of each type must have at least for the host to go on with it. */
const SHAPES: Readonly<Record<FromWorker['type'], Readonly<Record<string, (value: unknown) => boolean>>>> = {
  ready: {},
  listening: {},
  retire: {},
  drained: {},
  activity: { idleMs: Number.isFinite },
  failed: { findings: (value) => Array.isArray(value) && value.every(isObject) },
  return: { head: isText },
  ended: { places: Array.isArray },
  report: { counts: isCounts, lines: isText, lost: Number.isFinite },
  access: {
    texts: (value) => Array.isArray(value) && value.every(isText),
    records: (value) => Array.isArray(value) && value.every(Array.isArray),
  },
  entryEnded: { how: isText, isDown: (value) => typeof value === 'boolean' },
  entryUp: {},
  log: { line: (value) => isObject(value) && isText((value as LogLine).text) },
  error: { where: isText, error: (value) => isObject(value) && isText((value as SentError).message) },
}

function isCounts(value: unknown): boolean {
  const { requests, bytes, seconds, latency } = Object(value) as Partial<Counts>
  const numbers = [bytes, seconds, ...(Array.isArray(latency) ? latency : [Number.NaN])]
  return isObject(requests) && [...Object.values(requests ?? {}), ...numbers].every(Number.isFinite)
}

/** @throws Error for what no worker of ours says: the code of its app has the same channel */
export function readFromWorker(message: unknown): FromWorker {
  const { type, ...parts } = Object(message) as Record<string, unknown>
  const shape = Object.hasOwn(SHAPES, String(type)) ? SHAPES[type as FromWorker['type']] : undefined
  if (shape && Object.entries(shape).every(([name, fits]) => fits(parts[name]))) return message as FromWorker
  throw new Error('it sent the host a message that is none')
}
