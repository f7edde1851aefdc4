import { execFile } from 'node:child_process'

/** Files are read and parsed; none is run. */
const TIME_MS = 5000

/**
 * Node says where a module of ES syntax cannot be parsed only as it ends of that. So another process parses the module
 * and the files that it imports, to end of the same.
 */
const PARSE = `
const { SourceTextModule } = require('node:vm')
const { readFileSync } = require('node:fs')
const { fileURLToPath } = require('node:url')
const seen = new Set()
function parse(url) {
  if (seen.has(url.href)) return
  seen.add(url.href)
  const { dependencySpecifiers, moduleRequests } = new SourceTextModule(read(url), { identifier: fileURLToPath(url) })
  const all = dependencySpecifiers ?? moduleRequests.map(({ specifier }) => specifier)
  for (const one of all) if (/^[.]{1,2}[/].*[.]m?js$/.test(one)) parse(new URL(one, url))
}
function read(url) {
  try { return readFileSync(url, 'utf8') } catch { return '' }
}
parse(new URL(process.argv[1]))
`

/**
 * Puts before the stack of a syntax error where it is, as `require()` does: file and line, the line's text, and a caret.
 * Where that is not found the error stays as it is.
 *
 * @param module URL of the module that could not be imported
 */
export async function addSyntaxPlace(error: SyntaxError, module: string): Promise<void> {
  const head = `${error.name}: ${error.message}\n`
  if (!error.stack?.startsWith(head)) return
  const argv = ['--no-warnings', '--experimental-vm-modules', '-e', PARSE, module]
  const printed = await new Promise<string>((resolve) => {
    execFile(process.execPath, argv, { timeout: TIME_MS }, (_, __, stderr) => resolve(stderr))
  })
  const end = printed.indexOf(`\n\n${head}`)
  if (end > 0) error.stack = `${printed.slice(0, end)}\n\n${error.stack}`
}
