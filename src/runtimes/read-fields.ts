/** Without spaces before the colon and without continuation lines, RFC 9112 §5.1 and §5.2: parsers differ in what they mean. */
const FIELD = /([\w!#$%&'*+.^`|~-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*\r\n/y

/**
 * The fields of a head or of trailers, as a flat list: name, value, name, value …
 *
 * @param text each with its line end, one character for each byte
 * @returns undefined where one of them is none
 */
export function readFields(text: string): string[] | undefined {
  const fields: string[] = []
  for (let at = 0; at < text.length; at = FIELD.lastIndex) {
    FIELD.lastIndex = at
    const [, name, value] = FIELD.exec(text) ?? []
    if (name === undefined || value === undefined) return undefined
    fields.push(name, value)
  }
  return fields
}
