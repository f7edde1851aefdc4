/** Lines of a file, joined; what is undefined or false is left out, "" is an empty line. */
export function lines(...parts: readonly (string | readonly string[] | undefined | false)[]): string {
  const all = parts.flatMap((part) => (part === undefined || part === false ? [] : part))
  return `${all.join('\n')}\n`
}

/**
 * Comment lines that say what to do with a file: `# Redeploy  mv …`. Text of the archive's author never ends one: in
 * some syntaxes a backslash there would join the next line to it.
 */
export function steps(title: string, ...rows: readonly (readonly [string, string] | undefined)[]): string[] {
  const known = rows.filter((row) => row !== undefined)
  const width = Math.max(...known.map(([step]) => step.length))
  return [`# ${title}.`, '#', ...known.map(([step, what]) => `# ${step.padEnd(width)}  ${what}`)]
}
