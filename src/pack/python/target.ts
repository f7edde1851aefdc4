import type { Interpreter } from './interpreter.ts'
import type { MarkerEnvironment } from './markers.ts'

/** What the wheels are for. */
export interface PythonTarget {
  /** "3.12", as it was asked for; undefined: the Python that was found. */
  readonly python?: string
  /** Platform tags of wheels, the best first; none: this machine. */
  readonly platforms: readonly string[]
}

const SYSTEMS: readonly (readonly [tag: RegExp, values: MarkerEnvironment])[] = [
  [/^(?:many|musl)?linux/, { os_name: 'posix', sys_platform: 'linux', platform_system: 'Linux' }],
  [/^macosx_/, { os_name: 'posix', sys_platform: 'darwin', platform_system: 'Darwin' }],
  [/^win/, { os_name: 'nt', sys_platform: 'win32', platform_system: 'Windows' }],
]

const MACHINE = /(?<machine>x86_64|aarch64|arm64|armv7l|i686|ppc64le|s390x|riscv64|universal2|amd64)$/

/** The environment that markers are judged for: pip would take that of the Python it runs in. */
export function targetMarkers(interpreter: Interpreter, { python, platforms }: PythonTarget): MarkerEnvironment {
  const [platform] = platforms
  const system = platform === undefined ? undefined : SYSTEMS.find(([tag]) => tag.test(platform))?.[1]
  const machine = MACHINE.exec(platform ?? '')?.groups?.machine
  const isOther = python !== undefined && python !== interpreter.markers.python_version
  return {
    ...interpreter.markers,
    ...(isOther
      ? { python_version: python, python_full_version: `${python}.0`, implementation_version: `${python}.0` }
      : {}),
    ...system,
    ...(machine === undefined ? {} : { platform_machine: machine === 'amd64' ? 'AMD64' : machine }),
  }
}

/** In words, for messages: "Python 3.11 on linux x86_64". */
export function targetName(markers: MarkerEnvironment, { platforms }: PythonTarget): string {
  const place = platforms.length > 0 ? platforms.join(', ') : `${markers.sys_platform} ${markers.platform_machine}`
  return `Python ${markers.python_version} on ${place}`
}
