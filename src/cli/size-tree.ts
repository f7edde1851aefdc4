import { formatBytes } from './format.ts'
import { safeText } from './safe-text.ts'
import { renderTable } from './table.ts'

export interface SizedFile {
  readonly path: string
  readonly size: number
  readonly compressedSize: number
}

interface Node {
  readonly name: string
  readonly files: number
  readonly size: number
  readonly compressedSize: number
}

const LIBRARY = 'ZAPP-INF/lib/'

/** Children shown of each folder; the rest is summed up in one row. */
const TOP = 8
const BELOW = 5

/**
 * The two topmost levels, largest first, as lines of `name, files, size, bytes in the archive`. A package in
 * node_modules is one row, a scope's packages each their own; the library of Python stands beside them.
 */
export function renderSizeTree(files: readonly SizedFile[], dim: (text: string) => string): string[] {
  const rows: string[][] = [['', 'files', 'size', 'in zip']]
  for (const node of largest(group(files, ''), TOP)) {
    rows.push(row(node, ''))
    if (!node.name.endsWith('/')) continue
    const below = files.filter(({ path }) => path.startsWith(node.name))
    const children = group(below, node.name)
    if (children.length > 1) for (const child of largest(children, BELOW)) rows.push(row(child, '  '))
  }
  return renderTable(rows, { right: [1, 2, 3], paint: (text, r) => (r === 0 ? dim(text) : text) })
}

function row(node: Node, indent: string): string[] {
  return [
    indent + safeText(node.name),
    node.name.endsWith('/') || node.files > 1 ? node.files.toLocaleString('en-US') : '',
    formatBytes(node.size),
    formatBytes(node.compressedSize),
  ]
}

function group(files: readonly SizedFile[], prefix: string): Node[] {
  const nodes = new Map<string, { name: string; files: number; size: number; compressedSize: number }>()
  for (const file of files) {
    const name = childOf(file.path, prefix)
    const node = nodes.get(name) ?? { name, files: 0, size: 0, compressedSize: 0 }
    nodes.set(name, node)
    node.files++
    node.size += file.size
    node.compressedSize += file.compressedSize
  }
  return [...nodes.values()]
}

/** `node_modules/@scope/name/` and `public/` are folders, `app.js` is a file. */
function childOf(path: string, prefix: string): string {
  const rest = path.slice(prefix.length)
  const isDeep = prefix.endsWith('node_modules/') ? rest.startsWith('@') : path.startsWith(LIBRARY) && prefix === ''
  const depth = isDeep ? 2 : 1
  const segments = rest.split('/')
  const name = segments.slice(0, depth).join('/')
  return segments.length > depth ? `${name}/` : name
}

function largest(nodes: readonly Node[], count: number): Node[] {
  const sorted = nodes.toSorted((a, b) => b.compressedSize - a.compressedSize || (a.name < b.name ? -1 : 1))
  // One row that says "1 more" would take the place of that one.
  if (sorted.length <= count + 1) return sorted
  const rest = sorted.slice(count)
  const sum = (key: 'files' | 'size' | 'compressedSize') => rest.reduce((total, node) => total + node[key], 0)
  const name = `${rest.length.toLocaleString('en-US')} more`
  return [
    ...sorted.slice(0, count),
    { name, files: sum('files'), size: sum('size'), compressedSize: sum('compressedSize') },
  ]
}
