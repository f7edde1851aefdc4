import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/**
 * Whether a build has collected the packages below this folder file by file, as Next (standalone) and Nitro do. What
 * lies there is all that is needed, though packages name others that are not there.
 */
export function isTraced(folder: string): boolean {
  // In .next/node_modules are links for packages that Next does not bundle, under names of its own.
  return (
    isNitroServer(folder) || isNextFolder(folder) || (basename(folder) === '.next' && isNextFolder(dirname(folder)))
  )
}

function isNextFolder(folder: string): boolean {
  return isNextStandalone((path) => (existsSync(join(folder, path)) ? readFileSync(join(folder, path), 'utf8') : ''))
}

export function isNextStandalone(read: (path: string) => string): boolean {
  return read('server.js').includes('__NEXT_PRIVATE_STANDALONE_CONFIG')
}

/** `.output/server`, beside `.output/nitro.json`. */
function isNitroServer(folder: string): boolean {
  return basename(folder) === 'server' && existsSync(join(folder, '../nitro.json'))
}
