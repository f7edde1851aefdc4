import { expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { pack } from '../../src/pack/pack.ts'
import { makeTree, NODE_APP, pkg } from './helpers/tree.ts'

interface Component {
  readonly 'bom-ref': string
  readonly name: string
  readonly version: string
  readonly [key: string]: unknown
}

test('the SBOM lists every package once, with licence, package URL and what it needs; no time, no serial number', async () => {
  const dir = await makeTree({
    ...NODE_APP,
    'package.json': {
      name: 'shop',
      dependencies: { '@s/a': '1', b: '2', alias: 'npm:real@1' },
      optionalDependencies: { o: '1' },
    },
    ...pkg('node_modules/@s/a', { license: '(MIT OR Apache-2.0)', dependencies: { b: '1', c: '1' } }),
    ...pkg('node_modules/@s/a/node_modules/b', { license: 'SEE LICENSE IN x' }),
    ...pkg('node_modules/b', { version: '2.0.0', license: 'MIT', dependencies: { c: '1' } }),
    // The same package at two places.
    ...pkg('node_modules/@s/a/node_modules/c', { license: 'ISC' }),
    ...pkg('node_modules/c', { license: 'ISC' }),
    ...pkg('node_modules/o', {}),
    ...pkg('node_modules/alias', { name: 'real' }),
  })
  const archive = await openArchive((await pack(dir)).file)
  const text = Buffer.from(await archive.read(archive.entries.get('ZAPP-INF/sbom.cdx.json')!)).toString()
  await archive.close()
  const bom = JSON.parse(text)

  expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' })
  expect(Object.keys(bom)).not.toContain('serialNumber')
  expect(text).not.toContain('timestamp')
  expect(bom.metadata.component).toMatchObject({ type: 'application', name: 'shop', version: '1.2.0' })

  const components: Component[] = bom.components
  expect(components.map(({ purl, scope }) => `${purl} ${scope}`)).toEqual([
    'pkg:npm/%40s/a@1.0.0 required',
    'pkg:npm/b@1.0.0 required',
    'pkg:npm/b@2.0.0 required',
    'pkg:npm/c@1.0.0 required',
    'pkg:npm/o@1.0.0 optional',
    'pkg:npm/real@1.0.0 required',
  ])
  const byName = (name: string, version: string) => components.find((c) => c.name === name && c.version === version)!
  expect(byName('a', '1.0.0')).toMatchObject({ group: '@s', licenses: [{ expression: '(MIT OR Apache-2.0)' }] })
  expect(byName('b', '2.0.0').licenses).toEqual([{ license: { id: 'MIT' } }])
  expect(byName('b', '1.0.0').licenses).toEqual([{ license: { name: 'SEE LICENSE IN x' } }])

  const needs = Object.fromEntries(
    bom.dependencies.map((d: { ref: string; dependsOn?: string[] }) => [d.ref, d.dependsOn ?? []]),
  )
  expect(new Set(components.map((c) => c['bom-ref'])).size).toBe(components.length)
  const ref = (name: string, version = '1.0.0') => byName(name, version)['bom-ref']
  expect(needs[ref('a')]).toEqual([ref('b'), ref('c')])
  expect(needs[bom.metadata.component['bom-ref']]).toEqual([ref('a'), ref('b', '2.0.0'), ref('o'), ref('real')])
})
