import type { MountRequest, ResponseAnswer } from '../../../src/mount/answer.ts'

/** What a client would get; empty where there is no body. */
export async function bodyBytes({ body }: ResponseAnswer): Promise<Buffer> {
  if (body === null) return Buffer.alloc(0)
  if (body.bytes) return Buffer.from(body.bytes)
  return Buffer.concat(await body.stream!().toArray())
}

export function request(target: string, headers: Record<string, string> = {}, method = 'GET'): MountRequest {
  return { method, target, headers: new Headers(headers), mount: '' }
}

export function header(answer: ResponseAnswer, name: string): string | undefined {
  return answer.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
}
