/** A line may be as long; what fits stands on one. */
const WIDTH = 100

/** A manifest as a person would write it: JSON, each key on a line of its own, short values whole. Ends in a newline. */
export function manifestText(manifest: object): string {
  return `${format(manifest, '')}\n`
}

function format(value: unknown, indent: string): string {
  const flat = flatten(value)
  const isTop = indent === ''
  if (typeof value !== 'object' || value === null || (!isTop && indent.length + flat.length <= WIDTH)) return flat
  const inner = `${indent}  `
  const isArray = Array.isArray(value)
  const lines = Object.entries(value).map(([key, member]) => {
    const name = isArray ? '' : `${JSON.stringify(key)}: `
    return inner + name + format(member, inner)
  })
  return `${isArray ? '[' : '{'}\n${lines.join(',\n')}\n${indent}${isArray ? ']' : '}'}`
}

function flatten(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flatten).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${flatten(member)}`)
  return members.length > 0 ? `{ ${members.join(', ')} }` : '{}'
}
