import type { ServerResponse } from 'node:http'

/** Whether a response that has begun is a stream of events, as browsers' EventSource reads it. */
export function isEventStream(res: ServerResponse): boolean {
  const { _header: head } = res as ServerResponse & { _header: string | null }
  return head !== null && /^content-type: *text\/event-stream\b/im.test(head)
}
