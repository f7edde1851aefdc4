/**
 * Whether an interpreter loads an extension module: one of its own ABI, or of the stable one from a version on.
 *
 * @param built `python` of a row of build.json: "cp311", "cp39-abi3"; undefined: any
 * @param abi the interpreter, as the names of wheels say it: "cp311", "cp313t"
 */
export function loadsExtension(built: string | undefined, abi: string): boolean {
  if (built === undefined) return true
  const stable = /^(?:cp3(?<from>[0-9]{1,3})-)?abi3$/.exec(built)?.groups
  if (!stable) return built === abi
  const mine = /^cp3(?<minor>[0-9]{1,3})$/.exec(abi)?.groups?.minor
  return mine !== undefined && Number(mine) >= Number(stable.from ?? 0)
}
