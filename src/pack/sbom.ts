import { Factories } from '@cyclonedx/cyclonedx-library/Contrib/License'
import { ComponentScope, ComponentType } from '@cyclonedx/cyclonedx-library/Enums'
import { Bom, Component, Metadata, Tools } from '@cyclonedx/cyclonedx-library/Models'
import { JSON as Json, JsonSerializer } from '@cyclonedx/cyclonedx-library/Serialize'
import { Spec1dot6 } from '@cyclonedx/cyclonedx-library/Spec'
import { PackageURL } from 'packageurl-js'
import parseSpdx from 'spdx-expression-parse'
import { compareNames } from '../archive/name-order.ts'
import type { Manifest } from '../format/manifest-types.ts'
import type { Package, PackageGraph } from './package-graph.ts'
import type { PythonLibrary, PythonPackage } from './python/library.ts'
import { canonicalName } from './python/markers.ts'

const licenses = new Factories.LicenseFactory(parseSpdx)

/**
 * ZAPP-INF/sbom.cdx.json: CycloneDX 1.6 as JSON. One component for each name and version, with licence, package URL
 * (published packages only) and its place in the dependency graph. Without the time and the serial number that tools
 * like to add: the same tree must give the same bytes.
 */
export function sbom(
  manifest: Manifest,
  graph: PackageGraph,
  python: Pick<PythonLibrary, 'packages' | 'roots'>,
  packer: { name: string; version: string },
): Uint8Array {
  const app = new Component(ComponentType.Application, manifest.name, {
    version: manifest.version,
    bomRef: `${manifest.name}@${manifest.version}`,
  })
  if (manifest.license !== undefined) app.licenses.add(licenses.makeFromString(manifest.license))
  const tool = new Component(ComponentType.Application, packer.name, { version: packer.version, bomRef: 'packer' })
  const bom = new Bom({ metadata: new Metadata({ component: app }) })
  bom.metadata.tools = new Tools()
  bom.metadata.tools.components.add(tool)

  const components = new Map<string, Component>()
  const packages = [...graph.packages.values()].sort((a, b) => compareNames(refOf(a), refOf(b)))
  for (const pkg of packages) {
    const ref = refOf(pkg)
    if (components.has(ref)) continue
    const component = componentOf(pkg, graph)
    components.set(ref, component)
    bom.components.add(component)
  }
  for (const pkg of packages) {
    for (const { target } of pkg.edges)
      components.get(refOf(pkg))?.dependencies.add(components.get(refOf(target))!.bomRef)
  }
  for (const { edges } of graph.importers) {
    for (const { target } of edges) app.dependencies.add(components.get(refOf(target))!.bomRef)
  }
  const distributions = new Map(python.packages.map((pkg) => [pkg, distribution(pkg)]))
  for (const [pkg, component] of distributions) {
    for (const need of pkg.needs) component.dependencies.add(distributions.get(need)!.bomRef)
    bom.components.add(component)
  }
  for (const root of python.roots) app.dependencies.add(distributions.get(root)!.bomRef)
  const serializer = new JsonSerializer(new Json.Normalize.Factory(Spec1dot6))
  return Buffer.from(`${serializer.serialize(bom, { sortLists: true, space: 1 })}\n`)
}

/** Distinct from the app's own reference even where a dependency bears the app's name. */
function refOf(pkg: Package): string {
  return `pkg:npm/${pkg.name}@${pkg.version}`
}

function componentOf(pkg: Package, graph: PackageGraph): Component {
  const [scope, name] = pkg.name.startsWith('@') ? pkg.name.split('/', 2) : [undefined, pkg.name]
  const component = new Component(ComponentType.Library, name ?? pkg.name, {
    version: pkg.version,
    bomRef: refOf(pkg),
    ...(scope === undefined ? {} : { group: scope }),
    scope: graph.required.has(pkg) ? ComponentScope.Required : ComponentScope.Optional,
  })
  if (!pkg.linked) component.purl = new PackageURL('npm', scope, name, pkg.version, undefined, undefined).toString()
  if (pkg.json.license !== undefined) component.licenses.add(licenses.makeFromString(pkg.json.license))
  return component
}

function distribution({ name, version, license, published }: PythonPackage): Component {
  // The address of a Python package has the name in canonical form: purl specification, type pypi.
  const purl = new PackageURL('pypi', undefined, canonicalName(name), version, undefined, undefined).toString()
  const component = new Component(ComponentType.Library, name, {
    version,
    bomRef: purl,
    scope: ComponentScope.Required,
  })
  if (published) component.purl = purl
  if (license !== undefined) component.licenses.add(licenses.makeFromString(license))
  return component
}
