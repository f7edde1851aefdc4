import type { EntryWatch } from '../../runtimes/entry-watch.ts'
import type { LogLine } from '../../runtimes/log-lines.ts'
import type { AccessRecord } from '../access-log.ts'
import { AppError } from '../app-error.ts'
import { type FromWorker, type Report, type SentError, unpackRecord } from './messages.ts'

/** Who is told what a worker has to tell of its app. */
export interface WorkerNews {
  /** As the access log calls it. */
  readonly app: { readonly id: string; readonly version: string }
  /** Of programs that it started. */
  readonly onLog: (line: LogLine) => void
  readonly onError: (error: unknown, where: string) => void
  readonly onAccess: (record: AccessRecord) => void
  readonly onReport: (report: Report) => void
  /** Of processes that it started for entries. */
  readonly entries: EntryWatch
}

/** Hands on what a message tells; others are left alone. */
export function handOn(message: FromWorker, { app, entries, onLog, onError, onAccess, onReport }: WorkerNews): void {
  switch (message.type) {
    case 'access':
      for (const record of message.records) onAccess(unpackRecord(record, message.texts, app))
      break
    case 'report':
      onReport(message)
      break
    case 'entryEnded':
      entries.ended(message.how, message.isDown)
      break
    case 'entryUp':
      entries.up()
      break
    case 'log':
      onLog(message.line)
      break
    case 'error':
      onError(errorOf(message.error), message.where)
  }
}

function errorOf({ message, code, stack }: SentError): Error {
  return typeof stack === 'string' ? new AppError(message, stack) : Object.assign(new Error(message), { code })
}
