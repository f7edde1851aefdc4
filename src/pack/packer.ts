import { readFileSync } from 'node:fs'

/** Who packs, for build.json and the SBOM. package.json lies two folders up from src/pack/ and dist/pack/ alike. */
export const PACKER: { readonly name: string; readonly version: string } = {
  name: 'zapp',
  version: JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version,
}
