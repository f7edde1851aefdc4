import type { ServerResponse } from 'node:http'

/**
 * Writes the head of an answer: fields that were set before stay, unless the answer has them itself. `writeHead` alone
 * would lose all but the last of several fields of one name as soon as anything was set before.
 *
 * @param fields name, value, name, value …
 */
export function writeHead(
  res: ServerResponse,
  status: number,
  statusText: string | undefined,
  fields: readonly string[],
): void {
  if (res.getHeaderNames().length === 0) {
    res.writeHead(status, statusText || undefined, fields as string[])
    return
  }
  const values = new Map<string, [name: string, values: string[]]>()
  for (let i = 0; i < fields.length; i += 2) {
    const [name, value] = [fields[i]!, fields[i + 1]!]
    const same = values.get(name.toLowerCase())
    if (same) same[1].push(value)
    else values.set(name.toLowerCase(), [name, [value]])
  }
  for (const [name, several] of values.values()) res.setHeader(name, several.length === 1 ? several[0]! : several)
  res.writeHead(status, statusText || undefined)
}
