import type { WheelTags } from './wheel-metadata.ts'

/** What an extension module was built for, by the tags of its wheel. */
export interface AddonTag {
  /** As {@link NativeTarget.python} */
  readonly python?: string
  readonly libc?: 'glibc' | 'musl'
}

/**
 * The tag of an extension module; undefined for other files. Shared libraries that a wheel brings for its modules lie in
 * folders of their own (auditwheel: `x.libs`, delocate: `.dylibs`).
 */
export function addonTag(path: string, { python, abi, platform }: WheelTags): AddonTag | undefined {
  if (platform.includes('any') || !/\.(?:so|pyd)$/.test(path) || /(?:^|\/)[^/]*(?:\.libs|\.dylibs)\//.test(path))
    return undefined
  const libc = platform.some((tag) => tag.startsWith('manylinux'))
    ? ('glibc' as const)
    : platform.some((tag) => tag.startsWith('musllinux'))
      ? ('musl' as const)
      : undefined
  return { ...pythonOf(python, abi), ...(libc ? { libc } : {}) }
}

function pythonOf(python: readonly string[], abi: readonly string[]): { python?: string } {
  // Loaded with ctypes, by any Python.
  if (abi.includes('none')) return {}
  if (!abi.includes('abi3')) return { python: abi[0] ?? '' }
  const [lowest] = python.filter((tag) => /^cp3\d+$/.test(tag)).sort((a, b) => Number(a.slice(3)) - Number(b.slice(3)))
  return lowest === undefined ? { python: 'abi3' } : { python: `${lowest}-abi3` }
}
