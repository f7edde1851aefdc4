import type { Body, ResponseAnswer } from './answer.ts'

/** An answer as a `Response`, with standard globals only. */
export function toResponse(answer: ResponseAnswer): Response {
  const headers = new Headers()
  for (const [name, value] of answer.headers) headers.append(name, value)
  return new Response(answer.body && (answer.body.bytes ?? toStream(answer.body)), { status: answer.status, headers })
}

/** Reads when the consumer pulls and not before; stops reading when it cancels. */
function toStream(body: Body): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<Uint8Array> | undefined
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        chunks ??= body.stream?.()[Symbol.asyncIterator]()
        const next = await chunks?.next()
        if (next === undefined || next.done) controller.close()
        else controller.enqueue(next.value)
      },
      async cancel() {
        await chunks?.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
