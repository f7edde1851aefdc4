import type { BuildInfo, NativeTarget } from '../archive/build-info.ts'
import { type Finding, finding } from '../errors.ts'
import type { EntryType, Manifest } from '../format/manifest-types.ts'
import { satisfies } from '../format/version-range.ts'
import { usesPython } from './command.ts'
import type { Container } from './container.ts'

/** What this loader runs by itself; the types of Python have a loader of their own. */
const RUNS: ReadonlySet<EntryType> = new Set(['node', 'fetch', 'server', 'cgi'])
const PYTHON: ReadonlySet<EntryType> = new Set(['wsgi', 'asgi'])
const WHO = 'this version of the loader'

/**
 * Everything an app needs and does not find, except its configuration (config.ts): checked before anything is unpacked,
 * and all told at once. A key whose behaviour this loader lacks is refused, never ignored.
 *
 * @param honours keys that the caller sees to
 */
export async function checkNeeds(
  manifest: Manifest,
  build: BuildInfo | undefined,
  mount: string,
  container: Container,
  honours: readonly string[] = [],
): Promise<Finding[]> {
  return [
    ...checkEntries(manifest, container),
    ...checkKeys(manifest, honours),
    ...checkBase(manifest, mount),
    ...(await checkRuntime(manifest, container)),
    ...(await checkCommands(manifest, container)),
    ...(await checkProvided(manifest, container)),
    ...checkNative(build?.native ?? [], container),
  ]
}

/**
 * What one command of an app needs, except configuration. The types of its entry points, keys that only matter while it
 * serves, and its mount are not asked for.
 */
export async function checkCommandNeeds(
  manifest: Manifest,
  build: BuildInfo | undefined,
  run: readonly string[],
  container: Container,
): Promise<Finding[]> {
  return [
    ...checkNode(manifest, container),
    ...(usesPython(run) ? await checkPython(manifest, container) : []),
    ...(await checkCommands(manifest, container)),
    ...(await checkProvided(manifest, container)),
    ...checkNative(build?.native ?? [], container),
  ]
}

function checkEntries(manifest: Manifest, { platform }: Container): Finding[] {
  return [...manifest.entries.values()].flatMap(({ name, type }) => {
    // Windows starts no script by its first line.
    if (RUNS.has(type) && !(type === 'cgi' && platform === 'win32')) return []
    if (PYTHON.has(type)) return [finding('ENTRY_RUNTIME', 'zapp.json', { entry: name, type })]
    return [unsupported(`an entry of type ${JSON.stringify(type)} (${name})`)]
  })
}

function checkKeys(manifest: Manifest, honours: readonly string[]): Finding[] {
  const { processes, threads } = manifest.workers
  const keys = [
    ...manifest.reserved,
    ...(manifest.migrate ? ['lifecycle.migrate'] : []),
    ...(manifest.processes.size > 0 ? ['processes'] : []),
    ...(manifest.dependencies.provided.python.length > 0 ? ['dependencies.provided.python'] : []),
    ...((processes ?? 1) > 1 ? ['workers.processes'] : []),
    ...((threads ?? 1) > 1 ? ['workers.threads'] : []),
  ]
  return keys.filter((key) => !honours.includes(key)).map(unsupported)
}

function unsupported(key: string): Finding {
  return finding('UNSUPPORTED_KEY', 'zapp.json', { key, who: WHO })
}

function checkBase({ base }: Manifest, mount: string): Finding[] {
  const path = mount === '' ? '/' : mount
  return base === 'any' || base === path ? [] : [finding('MOUNT_BASE', '', { expected: base, got: path })]
}

function checkNode({ dependencies }: Manifest, container: Container): Finding[] {
  const { node } = dependencies.runtime
  if (!node || satisfies(container.node, node)) return []
  return [finding('NEED_RUNTIME', '', { runtime: 'Node', expected: node.text, got: container.node })]
}

async function checkPython({ dependencies }: Manifest, container: Container): Promise<Finding[]> {
  const { python } = dependencies.runtime
  const found = await container.python()
  if (!found) return [finding('NEED_COMMAND', '', { command: 'python3' })]
  if (!python || satisfies(found.version, python)) return []
  return [finding('NEED_RUNTIME', '', { runtime: 'Python', expected: python.text, got: found.version })]
}

async function checkRuntime(manifest: Manifest, container: Container): Promise<Finding[]> {
  const all = [...manifest.entries.values()]
  const node = checkNode(manifest, container)
  if (all.some((entry) => entry.type === 'server' && usesPython(entry.run))) {
    return [...node, ...(await checkPython(manifest, container))]
  }
  const isIdle = manifest.dependencies.runtime.python && !all.some((entry) => PYTHON.has(entry.type))
  return isIdle ? [...node, unsupported('dependencies.runtime.python')] : node
}

async function checkCommands({ dependencies }: Manifest, container: Container): Promise<Finding[]> {
  const missing = await without(dependencies.commands, (name) => container.hasCommand(name))
  return missing.map((command) => finding('NEED_COMMAND', '', { command }))
}

async function checkProvided({ dependencies }: Manifest, container: Container): Promise<Finding[]> {
  const missing = await without(dependencies.provided.node, async (name) => !!(await container.findPackage(name)))
  return missing.map((name) => finding('NEED_PROVIDED', '', { package: name }))
}

async function without(names: readonly string[], has: (name: string) => Promise<boolean>): Promise<string[]> {
  const found = await Promise.all(names.map(has))
  return names.filter((_, i) => !found[i])
}

/**
 * A package fits if one of its addons does: many bring one for every system. A package that is only an optional
 * dependency may fit nowhere, as npm would not have installed it.
 */
function checkNative(targets: readonly NativeTarget[], container: Container): Finding[] {
  const addons = targets.filter((target) => target.kind === 'addon' && !target.optional)
  // Addons of the app itself stand for themselves.
  const groups = new Set(addons.map((target) => target.package || target.path))
  return [...groups].flatMap((group) => {
    const own = addons.filter((target) => (target.package || target.path) === group)
    if (own.some((target) => fits(target, container))) return []
    const expected = [...new Set(own.map(nameOf))].join(' or ')
    return [finding('NEED_NATIVE', '', { package: group, expected, got: nameOf(container) })]
  })
}

function fits(target: NativeTarget, container: Container): boolean {
  const unix = target.platform === 'unix' && container.platform !== 'win32' && container.platform !== 'darwin'
  if (!unix && target.platform !== container.platform) return false
  if (target.arch !== container.arch) return false
  if (target.libc !== undefined && target.libc !== container.libc) return false
  return typeof target.abi !== 'number' || target.abi === container.abi
}

function nameOf({ platform, arch, libc, abi }: Pick<NativeTarget, 'platform' | 'arch' | 'libc' | 'abi'> | Container) {
  const system = [platform, arch, libc].filter((part) => part !== undefined).join('-')
  return typeof abi === 'number' ? `${system} (Node ABI ${abi})` : system
}
