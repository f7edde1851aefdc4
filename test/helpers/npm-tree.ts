import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const ROOT = join(import.meta.dirname, '../../node_modules')

/**
 * The files of a package that this project has installed, and of everything it depends on, as an app that installed it
 * would have them below `node_modules/`. `as` is the name it gets (the project has Express twice, under two names).
 */
export function npmTree(name: string, as = name): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {}
  const done = new Set<string>()
  const add = (from: string, to: string) => {
    if (done.has(from)) return
    done.add(from)
    for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const file = join(entry.parentPath, entry.name)
      files[`node_modules/${to}/${relative(from, file)}`] = readFileSync(file)
    }
    for (const folder of [from, ...nested(from)]) {
      const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      // What is nested has come with its parent; the rest is hoisted.
      for (const dependency of Object.keys(dependencies)) {
        const hoisted = join(ROOT, dependency)
        if (!existsSync(join(from, 'node_modules', dependency)) && existsSync(hoisted)) add(hoisted, dependency)
      }
    }
  }
  add(join(ROOT, name), as)
  return files
}

function nested(folder: string): string[] {
  const inner = join(folder, 'node_modules')
  if (!existsSync(inner)) return []
  const names = readdirSync(inner).flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(inner, name)).map((sub) => join(name, sub)) : [name],
  )
  return names.filter((name) => existsSync(join(inner, name, 'package.json'))).map((name) => join(inner, name))
}
