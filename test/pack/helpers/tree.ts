import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { tmpDir } from '../../helpers/tmp.ts'

/** A text is a file's content, an object a package.json, `link` a symbolic link; a name that ends in "/" is a folder. */
export type Tree = Readonly<Record<string, string | Uint8Array | { readonly link: string } | object>>

/** Writes the tree below a fresh folder (or `root`) and gives its path. Links are made last. */
export async function makeTree(tree: Tree, root?: string): Promise<string> {
  const dir = root ?? (await tmpDir())
  const links: [string, string][] = []
  for (const [name, content] of Object.entries(tree)) {
    const path = join(dir, name)
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true })
    if (name.endsWith('/')) continue
    if (typeof content === 'string' || content instanceof Uint8Array) writeFileSync(path, content)
    else if ('link' in content) links.push([String(content.link), path])
    else writeFileSync(path, `${JSON.stringify(content, undefined, 2)}\n`)
  }
  for (const [target, path] of links) symlinkSync(target, path)
  return dir
}

/** A package for {@link makeTree}: its package.json and an index.js that exports `name@version`. */
export function pkg(folder: string, json: { name?: string; version?: string; [key: string]: unknown }): Tree {
  const { name = folder.slice(folder.lastIndexOf('node_modules/') + 13), version = '1.0.0' } = json
  return {
    [`${folder}/package.json`]: { name, version, ...json },
    [`${folder}/index.js`]: `module.exports = '${name}@${version}'\n`,
  }
}

/** A manifest for an entry of type node, and the module that it names. */
export const NODE_APP: Tree = {
  'zapp.json': '{"zapp":1,"name":"shop","version":"1.2.0","entry":{"type":"node","module":"app.js"}}\n',
  'app.js': "module.exports = (req, res) => res.end('shop')\n",
}

export const STATIC_APP: Tree = {
  'zapp.json': '{"zapp":1,"name":"site","version":"1.0.0","routes":{"/":{"static":"public"}}}\n',
  'public/index.html': '<!doctype html><title>site</title>\n',
}
