import type { NativeTarget } from '../archive/build-info.ts'
import { type Finding, finding } from '../errors.ts'
import type { Container } from './container.ts'
import { type Interpreter, loadsExtension } from './python.ts'

/**
 * NEED_NATIVE for each package whose native code does not load here. A package fits if one of its addons does: many bring
 * one for every system. A package that is only an optional dependency may fit nowhere, as npm would not have installed it.
 *
 * @param python the interpreter that extension modules are for; without it, those are nobody's and not asked for
 */
export function misfits(
  targets: readonly NativeTarget[],
  container: Container,
  python: Interpreter | undefined,
): Finding[] {
  const addons = targets.filter((target) => target.kind === 'addon' && !target.optional)
  // Addons of the app itself stand for themselves.
  const groups = new Set(addons.map((target) => target.package || target.path))
  return [...groups].flatMap((group) => {
    const own = addons.filter((target) => (target.package || target.path) === group)
    if (own.some((target) => fits(target, container, python))) return []
    const expected = [...new Set(own.map(nameOf))].join(' or ')
    return [finding('NEED_NATIVE', '', { package: group, expected, got: nameOf(here(own, container, python)) })]
  })
}

function fits(target: NativeTarget, container: Container, python: Interpreter | undefined): boolean {
  if (target.python !== undefined && !python) return true
  const unix = target.platform === 'unix' && container.platform !== 'win32' && container.platform !== 'darwin'
  if (!unix && target.platform !== container.platform) return false
  if (target.arch !== container.arch) return false
  if (target.libc !== undefined && target.libc !== container.libc) return false
  if (target.python !== undefined && !loadsExtension(python!, target.python)) return false
  return typeof target.abi !== 'number' || target.abi === container.abi
}

type Named = Pick<NativeTarget, 'platform' | 'arch' | 'libc' | 'abi' | 'python'>

/** This machine, told with as much as the package has to do with. */
function here(own: readonly NativeTarget[], container: Container, python: Interpreter | undefined): Named {
  const { platform, arch, libc, abi } = container
  const runtime = own.some((target) => target.python !== undefined) && python ? { python: python.abi } : { abi }
  return { platform, arch, ...(libc ? { libc } : {}), ...runtime }
}

function nameOf({ platform, arch, libc, abi, python }: Named): string {
  const system = [platform, arch, libc].filter((part) => part !== undefined).join('-')
  if (python !== undefined) return `${system} (${python})`
  return typeof abi === 'number' ? `${system} (Node ABI ${abi})` : system
}
